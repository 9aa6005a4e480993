// The settings of automatic recharge, its saved card, and how it is doing.

import { Failure, get, put } from "./api.js";
import { explainRefusal, openCheckout, whenBack } from "./checkout.js";
import { byId, setBusy, setText } from "./dom.js";
import { explain } from "./failures.js";
import { sayCard, sayState, wantsApproval } from "./recharge_words.js";
import { Section } from "./section.js";
import { overview } from "./summary.js";
import { forgetWallet, readWallet } from "./wallet.js";

const form = byId("recharge-form");
const enabled = byId("recharge-enabled");
const threshold = byId("recharge-threshold");
const amount = byId("recharge-amount");
const approve = byId("recharge-approve");
const error = byId("recharge-error");
let settings = null;
let money = null;
let balance = 0;
let busy = false;
let edited = false;

export const recharge = new Section("auto-recharge", async () => {
  const [answer, wallet] = await Promise.all([get("auto-recharge"), readWallet()]);
  money = wallet.money;
  balance = wallet.summary.balance_pence;
  show(answer);
  if (!edited) showFields(answer);
});

export function openRecharge() {
  form.addEventListener("submit", save);
  form.addEventListener("input", () => {
    edited = true;
    byId("recharge-status").textContent = "";
    error.textContent = "";
  });
  approve.addEventListener("click", pay);
  whenBack(() => hold(false));
  return recharge.show();
}

function show(answer) {
  settings = answer;
  const isLow = balance < settings.threshold_pence;
  byId("recharge-state").dataset.state = settings.obstacle ?? "ready";
  byId("recharge-state").textContent = sayState(settings, money, isLow);
  byId("recharge-card").textContent = sayCard(settings);
  setText(
    approve,
    wantsApproval(settings, isLow) &&
      `Approve by paying ${money.format(settings.open_attempt.amount_pence)}`,
  );
}

function showFields({ enabled: on, threshold_pence, amount_pence }) {
  edited = false;
  enabled.checked = on;
  threshold.value = money.plain(threshold_pence);
  amount.value = money.plain(amount_pence);
  for (const unit of form.querySelectorAll("[data-unit]")) unit.textContent = money.symbol;
}

async function save(event) {
  event.preventDefault();
  if (busy) return;
  const wish = {
    enabled: enabled.checked,
    threshold_pence: money.parse(threshold.value),
    amount_pence: money.parse(amount.value),
  };
  if (!check(wish)) return;
  hold(true);
  try {
    show(await put("auto-recharge", wish));
    showFields(settings);
    byId("recharge-status").textContent = "Saved.";
    forgetWallet();
    overview.show({ quietly: true });
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    showRefusal(failure);
  } finally {
    hold(false);
  }
}

// What the server would say as well, in the words of people, and beside its field.
function check({ threshold_pence: below, amount_pence: by }) {
  const most = settings.max_pence_per_day;
  return showProblems({
    [amount.id]:
      (by === null && "Enter an amount.") ||
      (by === 0 && "Enter an amount above zero.") ||
      (by > most && `At most ${money.format(most)} is charged a day.`),
    [threshold.id]:
      (below === null && "Enter an amount.") ||
      (by !== null && below >= by && `Enter less than ${money.format(by)}, what is topped up by.`),
  });
}

// Says each problem beside its field, and goes to the first. Answers whether there is none.
function showProblems(problems) {
  const fields = [threshold, amount];
  for (const field of fields) {
    field.setAttribute("aria-invalid", Boolean(problems[field.id]));
    setText(byId(`${field.id}-error`), problems[field.id]);
  }
  const first = fields.find((field) => problems[field.id]);
  first?.focus();
  return !first;
}

function showRefusal(failure) {
  const [, field, text] = /^(\w+): (.*)$/s.exec(failure.message) ?? [];
  const place = { threshold_pence: threshold, amount_pence: amount }[field];
  if (place) showProblems({ [place.id]: `This ${text}` });
  else error.textContent = explain(failure, "This could not be saved. Please try again.");
}

// The bank can ask for approval on the page to pay on, so that is where an ordinary top-up leads.
async function pay() {
  if (busy) return;
  hold(true);
  error.textContent = "";
  try {
    await openCheckout({ amount_pence: settings.open_attempt.amount_pence });
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    error.textContent = explainRefusal(failure);
    hold(false);
  }
}

function hold(value) {
  busy = value;
  setBusy(approve, value);
  setBusy(byId("recharge-save"), value);
}
