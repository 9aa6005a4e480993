// What a customer who comes back from paying is told, by what is known of the top-up.

export const SLOW_MS = 30_000;

const NOT_CHARGED = "You have not been charged.";

// { state, text, detail, again, final }: `again` is the address to go on paying at, or "form";
// `final` where nothing more is to come.
export function describePayment(topup, { topupId, cancelled, waitedMs, money }) {
  if (!topup) return describeUnheard({ topupId, cancelled, waitedMs });
  if (topup.credited) return { state: "credited", final: true, ...describeCredit(topup, money) };
  switch (topup.status) {
    case "failed":
      return describeFailure(topup, { topupId, cancelled, waitedMs });
    case "expired":
      return {
        state: "closed",
        text: `The payment page has expired. ${NOT_CHARGED}`,
        again: "form",
        final: true,
      };
    case "canceled":
      return {
        state: "closed",
        text: `The payment was cancelled. ${NOT_CHARGED}`,
        again: "form",
        final: true,
      };
    default:
      return describePending(topup, { topupId, cancelled, waitedMs });
  }
}

function describeCredit(
  { amount_pence: amount, bonus_pence: bonus, balance_pence: balance },
  money,
) {
  const added = bonus
    ? `${money.format(amount + bonus)} was added, ${money.format(bonus)} of it a bonus.`
    : `${money.format(amount)} was added.`;
  return { text: `${added} Your balance is ${money.format(balance)}.` };
}

// Who comes back from a page that still takes payments, as if from one that took theirs, has paid
// after the failure that we have heard of.
function describeFailure({ checkout_url: again }, { topupId, cancelled, waitedMs }) {
  if (again && !cancelled) return describeWaiting({ topupId, waitedMs });
  const text = `The payment failed. ${NOT_CHARGED}`;
  return { state: "failed", text, again: again ?? "form", final: !again };
}

function describePending(topup, { topupId, cancelled, waitedMs }) {
  if (topup.under_way) {
    return {
      state: "under-way",
      text: "Your bank is still working on this payment; it can take some days.",
      detail: "Nothing was added yet. This page and your balance will show it when it arrives.",
    };
  }
  if (topup.status === "pending" && cancelled) {
    return {
      state: "left",
      text: "You left the payment page. Nothing was charged.",
      again: topup.checkout_url,
    };
  }
  return describeWaiting({ topupId, waitedMs });
}

function describeUnheard({ topupId, cancelled, waitedMs }) {
  if (cancelled && waitedMs < SLOW_MS) return { state: "waiting", text: "Checking the payment…" };
  return describeWaiting({ topupId, waitedMs });
}

function describeWaiting({ topupId, waitedMs }) {
  if (waitedMs < SLOW_MS) {
    return { state: "waiting", text: "Waiting for the payment to be confirmed…" };
  }
  return {
    state: "slow",
    text: "This takes longer than usual. Nothing is lost: your balance will show the payment once it is confirmed.",
    detail: `This page keeps watching. If you ask about it, the reference is ${topupId}.`,
  };
}
