// Who isn't signed in, or has no wallet, is told so, once, in place of all that can't be loaded.

import { byId, make } from "./dom.js";

let answered = false;

// Has the reader been shown something that they may still want to see?
export function noteAnswer() {
  answered = true;
}

// Who is here by now may be somebody else.
export function forgetAnswer() {
  answered = false;
}

export function watchSession() {
  document.addEventListener("wallet:failure", ({ detail: failure }) => {
    if (failure.status === 401) tellSignedOut();
    else if (isWithoutWallet(failure)) tellNoWallet();
    else if (failure.error === "not_configured") tellNotConfigured();
  });
}

const isWithoutWallet = ({ error }) =>
  error === "no_organization" || error === "organization_not_found";

function tellSignedOut() {
  byId("sign-out").hidden = true;
  byId("main").hidden = !answered;
  if (answered) {
    const again = make(
      "a",
      { class: "button main", href: `wallet${location.search}` },
      "Sign in again",
    );
    tell("Your session has ended", "What you see may be out of date.", again);
  } else {
    tell("You are not signed in", "Sign in where you usually do, and open your wallet from there.");
  }
}

function tellNoWallet() {
  byId("main").hidden = true;
  tell(
    "There is no wallet here",
    "Your account isn't connected to one. Please ask where you signed up.",
  );
}

function tellNotConfigured() {
  if (answered) return;
  byId("main").hidden = true;
  tell("The wallet isn't available", "It isn't set up yet. Please ask where you signed up.");
}

function tell(heading, text, ...actions) {
  const notice = byId("notice");
  if (notice.querySelector("h2")?.textContent === heading) return;
  notice.replaceChildren(make("h2", {}, heading), make("p", {}, text), ...actions);
}
