// The wallet that the page is about: its summary, asked for once and shared by all sections.

import { get } from "./api.js";
import { Money } from "./money.js";

let current = null;

// { summary, money }
export function readWallet() {
  current ??= ask();
  return current;
}

export function forgetWallet() {
  current = null;
}

// The ledger has moved: whoever shows some of it reads it anew.
export function refreshWallet() {
  forgetWallet();
  document.dispatchEvent(new CustomEvent("wallet:changed"));
}

async function ask() {
  try {
    const summary = await get("summary");
    return { summary, money: new Money(summary.currency, summary.currency_decimals) };
  } catch (failure) {
    current = null;
    throw failure;
  }
}
