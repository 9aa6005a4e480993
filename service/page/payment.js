// The return from the page to pay on. Only the ledger's word makes it a success.

import { byId, make, setIcon, setText } from "./dom.js";
import { Money } from "./money.js";
import { describePayment, SLOW_MS } from "./payment_words.js";
import { goToTopup } from "./topup.js";
import { readWallet, refreshWallet } from "./wallet.js";
import { watchTopup } from "./watch.js";
import { forgetWish } from "./wish.js";

const ICONS = { credited: "done", failed: "alert", closed: "alert", unknown: "alert" };

const box = byId("payment");

export function followPayment() {
  const query = new URLSearchParams(location.search);
  const topupId = query.get("topup_id");
  if (topupId) new Payment(topupId, query.get("checkout") === "cancelled").start();
}

class Payment {
  constructor(topupId, cancelled) {
    this.topupId = topupId;
    this.cancelled = cancelled;
    this.since = Date.now();
    this.topup = null;
    this.money = null;
  }

  start() {
    this.stop = watchTopup(this.topupId, {
      tell: (topup) => this.#hear(topup),
      fail: (failure) => this.#giveUp(failure),
    });
    this.timer = setTimeout(() => this.#show(), SLOW_MS);
    this.#show();
  }

  async #hear(topup) {
    this.money ??= await moneyOf(topup);
    this.topup = topup;
    this.#show();
  }

  #show() {
    if (this.ended) return;
    const waitedMs = Date.now() - this.since;
    const told = describePayment(this.topup, { ...this, waitedMs });
    this.#render(told);
    if (!told.final) return;
    this.#end();
    forgetWish();
    if (told.state === "credited") refreshWallet();
  }

  // Who has to sign in again finds the payment afterwards: the address still names it.
  #giveUp({ error }) {
    if (error !== "topup_not_found" && error !== "invalid_request") return;
    this.#render({ state: "unknown", text: "This payment isn't known in this wallet." });
    this.#end();
  }

  // From here on, a reload has nothing to wait for.
  #end() {
    this.ended = true;
    this.stop();
    clearTimeout(this.timer);
    const url = new URL(location.href);
    url.searchParams.delete("topup_id");
    url.searchParams.delete("checkout");
    history.replaceState(null, "", url);
  }

  #dismiss() {
    if (!this.ended) this.#end();
    box.dataset.state = "none";
    byId("payment-status").textContent = "";
    byId("main").focus();
  }

  #render({ state, text, detail, again }) {
    const status = byId("payment-status");
    box.dataset.state = state;
    setIcon(box, ICONS[state] ?? "clock");
    setText(byId("payment-detail"), detail);
    // What hasn't changed is not read out, or taken from under a finger, again.
    if (status.textContent !== text) status.textContent = text;
    if (this.offered === state + again) return;
    this.offered = state + again;
    byId("payment-actions").replaceChildren(...this.#actions(state, again));
  }

  #actions(state, again) {
    const dismiss = makeButton("Dismiss", () => this.#dismiss());
    if (!again) return [dismiss];
    if (again === "form") return [makeButton("Try again", goToTopup), dismiss];
    const words = state === "left" ? "Continue this payment" : "Try again";
    return [make("a", { class: "button", href: again }, words), dismiss];
  }
}

function makeButton(text, act) {
  const button = make("button", { type: "button", class: text === "Dismiss" && "quiet" }, text);
  button.addEventListener("click", act);
  return button;
}

async function moneyOf(topup) {
  try {
    return (await readWallet()).money;
  } catch {
    return new Money(topup.currency);
  }
}
