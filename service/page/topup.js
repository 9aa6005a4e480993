// The form to top up: a choice, what it will charge, and the way to the page to pay on.

import { Failure, get } from "./api.js";
import { explainRefusal, openCheckout, whenBack } from "./checkout.js";
import { byId, setBusy, setText } from "./dom.js";
import { quote } from "./quote.js";
import { Section } from "./section.js";
import {
  readChoice,
  revealCustom,
  sayLimits,
  showChoices,
  showCustomError,
  showUnit,
} from "./topup_choices.js";
import { readWallet } from "./wallet.js";

const TYPING_MS = 300;
// A reader who stops the browser on its way to the other page is still here.
const LEAVING_MS = 15_000;

const form = byId("top-up-form");
const button = byId("top-up-submit");
const amount = byId("custom-amount");
let options = null;
let money = null;
let running = new AbortController();
let typing = 0;
let wanted = null; // what the shown quote is about
let busy = false;

const topup = new Section("top-up", async () => {
  const [offered, wallet] = await Promise.all([get("topup-options"), readWallet()]);
  options = offered;
  money = wallet.money;
  const open = showChoices(options, money);
  form.hidden = !open;
  setText(byId("top-up-closed"), !open && `Top-ups in ${money.code} aren't offered at the moment.`);
  if (open) showQuote();
});

export function openTopup() {
  form.addEventListener("change", choose);
  amount.addEventListener("input", () => {
    showCustomError("");
    showQuoteSoon();
  });
  form.addEventListener("submit", submit);
  whenBack(release);
  return topup.show();
}

// For who wants to try again: the form, with the eyes on it.
export function goToTopup() {
  byId("top-up").scrollIntoView({ block: "start" });
  byId("top-up-heading").focus({ preventScroll: true });
}

function choose(event) {
  byId("top-up-error").textContent = "";
  if (event.target === amount) return;
  showCustomError("");
  revealCustom();
  showUnit(money);
  showQuote();
}

function showQuoteSoon() {
  forgetQuote();
  clearTimeout(typing);
  typing = setTimeout(showQuote, options.usd ? TYPING_MS : 0);
}

function forgetQuote() {
  running.abort();
  wanted = null;
  byId("quote").textContent = "";
}

// What the choice will charge; what can't be charged is told on submitting, not while typing.
async function showQuote() {
  clearTimeout(typing);
  forgetQuote();
  const { signal } = (running = new AbortController());
  const choice = readChoice(options, money);
  if (choice.problem) return choice.problem;
  try {
    const { pence, words, problem } = await quote(choice, options, money, signal);
    if (signal.aborted) return null;
    if (problem) return problem;
    byId("quote").replaceChildren(...words);
    if (!choice.plan && isOutOfRange(pence)) return sayLimits(options, money);
    wanted = choice.plan ? { plan: choice.plan } : { amount_pence: pence };
    return null;
  } catch (failure) {
    if (failure.error !== "aborted") throw failure;
    return null;
  }
}

// Dollars are within the limits or not once they are converted.
const isOutOfRange = (pence) => pence < options.min_pence || pence > options.max_pence;

async function submit(event) {
  event.preventDefault();
  if (busy) return;
  hold();
  byId("top-up-error").textContent = "";
  const known = wanted;
  const problem = known ? null : await showQuote();
  if (problem) {
    release();
    showCustomError(problem);
    amount.focus();
  } else if (known) {
    await leave(known);
  } else {
    // Nobody is sent to pay what was not shown before.
    release();
  }
}

async function leave(wish) {
  try {
    await openCheckout(wish);
    setTimeout(release, LEAVING_MS);
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    release();
    byId("top-up-error").textContent = explainRefusal(failure);
  }
}

function hold() {
  busy = true;
  setBusy(button, true);
  button.textContent = "Opening the payment page…";
}

function release() {
  busy = false;
  setBusy(button, false);
  button.textContent = "Continue to payment";
}
