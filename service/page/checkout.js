// The way to the page to pay on, for a wish such as { amount_pence: 5000 } or { plan: "starter" }.

import { Failure, post } from "./api.js";
import { explain } from "./failures.js";
import { forgetWish, wishKey } from "./wish.js";

// Leaves this page, or throws a Failure.
export async function openCheckout(wish) {
  const { checkout_url: url } = await begin(wish);
  if (!/^https?:\/\//.test(url)) throw new Failure(502);
  location.assign(url);
}

// The sentence about a checkout that could not be opened.
export function explainRefusal(failure) {
  return `${explain(failure, "The payment page could not be opened.")} You have not been charged.`;
}

// Calls `back` when the reader comes back to this page without loading it anew.
export function whenBack(back) {
  addEventListener("pageshow", (event) => event.persisted && back());
}

async function begin(wish) {
  try {
    return await ask(wish);
  } catch (failure) {
    if (failure.error !== "topup_closed") throw failure;
    // What this key stood for is over; whoever asks again wants another.
    forgetWish();
    return ask(wish);
  }
}

const ask = (wish) => post("topups", { ...wish, request_key: wishKey(JSON.stringify(wish)) });
