// Balance, what of it is available and why, and the four figures.

import { byId, setText } from "./dom.js";
import { LOCALE } from "./locale.js";
import { Section } from "./section.js";
import { noteAnswer } from "./session.js";
import { readWallet } from "./wallet.js";

const COUNT = new Intl.NumberFormat(LOCALE);

export const overview = new Section("overview", async () => {
  const { summary, money } = await readWallet();
  noteAnswer();
  showName(summary.name);
  showBalance(summary, money);
  showNotice(summary, money);
  showFigures(summary, money);
});

function showName(name) {
  const shown = name?.trim() || "Wallet";
  byId("wallet-name").textContent = shown;
  document.title = shown === "Wallet" ? shown : `${shown} – wallet`;
}

function showBalance(summary, money) {
  byId("balance").textContent = money.format(summary.balance_pence);
  byId("balance").dataset.negative = summary.balance_pence < 0;
  byId("available").textContent = money.format(summary.available_pence);
  setText(byId("balance-reason"), whyNotAll(summary, money));
}

function whyNotAll({ reserved_pence: reserved, owed_pence: owed }, money) {
  const reasons = [];
  if (reserved) reasons.push(`${money.format(reserved)} is held for calls in progress.`);
  if (owed) reasons.push(`${money.format(owed)} is owed for calls that have ended.`);
  return reasons.join(" ");
}

function showNotice(summary, money) {
  const [kind, text] = findNotice(summary, money);
  byId("balance-notice").dataset.kind = kind;
  setText(byId("balance-notice"), text);
}

function findNotice(summary, money) {
  const { balance_pence: balance, owed_pence: owed, debt_limit_pence: limit } = summary;
  if (balance < 0) {
    return [
      "debt",
      `Your balance is below zero. Top up at least ${money.format(owed - balance)} to settle it. ` +
        `Spending stops at ${money.format(-limit)}.`,
    ];
  }
  if (balance === 0) return ["empty", "Your wallet is empty. Top up to start."];
  if (summary.is_low_balance) {
    return ["low", `Your balance is low: it is below ${money.format(summary.low_balance_pence)}.`];
  }
  return ["none", ""];
}

function showFigures(summary, money) {
  byId("card-topups").textContent = money.format(summary.total_topped_up_pence);
  byId("card-spent").textContent = money.format(summary.total_spent_pence);
  byId("card-calls").textContent = COUNT.format(summary.total_calls);
  byId("card-recharge").textContent = summary.auto_recharge_enabled ? "On" : "Off";
}
