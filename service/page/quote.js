// What a choice will charge, in words, before anybody is sent to pay.

import { Failure, get } from "./api.js";
import { make } from "./dom.js";
import { explain } from "./failures.js";

// { pence, words }, or { problem } where it can't be had.
export async function quote(choice, options, money, signal) {
  if (choice.usdCents !== undefined) return quoteDollars(choice, money, signal);
  const dollars = options.usd ? await roughDollars(choice.pricePence, signal) : null;
  return { pence: choice.pricePence, words: say(money.coded(choice.pricePence), dollars) };
}

async function quoteDollars({ usdCents }, money, signal) {
  try {
    const answer = await get("quote", { usd_cents: usdCents }, signal);
    const charge = money.coded(answer.charge_pence);
    return { pence: answer.charge_pence, words: say(charge, answer.usd_formatted) };
  } catch (failure) {
    if (!(failure instanceof Failure) || failure.error === "aborted") throw failure;
    const missing = "Dollars can't be converted just now.";
    return {
      problem: failure.error === "exchange_rate_not_found" ? missing : explain(failure, missing),
    };
  }
}

// A help to the reader, and no more: without it, the charge is still told.
async function roughDollars(pence, signal) {
  try {
    return (await get("quote", { amount_pence: pence }, signal)).usd_formatted;
  } catch (failure) {
    if (!(failure instanceof Failure) || failure.error === "aborted") throw failure;
    return null;
  }
}

function say(charge, dollars) {
  const words = [`You'll be charged ${charge}`];
  if (dollars) words.push(" ", make("span", { class: "whole" }, `(~${dollars} USD)`));
  return words;
}
