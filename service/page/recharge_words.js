// What automatic recharge is doing, or why it isn't, in the customer's words.

const BRANDS = {
  amex: "American Express",
  diners: "Diners Club",
  jcb: "JCB",
  unionpay: "UnionPay",
};

const ATTEMPTS = {
  requested: (amount) => `A recharge of ${amount} is about to start.`,
  calling: (amount) => `A recharge of ${amount} is being made.`,
  unknown: (amount) => `A recharge of ${amount} is under way, and its result isn't known yet.`,
  processing: (amount) => `Your bank is still working on a recharge of ${amount}.`,
  requires_action: (amount, isLow) =>
    isLow
      ? "Your bank wants you to approve this payment."
      : `A recharge of ${amount} was not approved at your bank. It isn't needed any more, and lapses by itself.`,
  unresolved: (amount) =>
    `It isn't clear yet whether a recharge of ${amount} was charged. We are looking into it, and start no other meanwhile.`,
};

const OBSTACLES = {
  off: () => "Your card is not charged without you.",
  no_payment_method: () => "It can't start yet: no card is saved.",
  payment_method_blocked: ({ blocked_because: reason }) =>
    `It is paused${reason ? `: ${reason}` : ""}. Top up once with another card to use that one.`,
  wallet_frozen: () => "It is paused while your wallet is on hold. Please contact us.",
  attempt_open: () => "",
  balance_sufficient: (settings, money) =>
    `It is ready: ${money.format(settings.amount_pence)} is added when the balance falls below ${money.format(settings.threshold_pence)}.`,
  cooldown: () => "One ended a moment ago. The next can start after a short pause.",
  max_per_day: (settings) =>
    `It is paused: no more than ${settings.max_per_day} recharges a day are made.`,
  max_per_month: (settings) =>
    `It is paused: no more than ${settings.max_per_month} recharges in 30 days are made.`,
  max_pence_per_day: (settings, money) =>
    `It is paused: no more than ${money.format(settings.max_pence_per_day)} a day is charged.`,
  max_pence_per_month: (settings, money) =>
    `It is paused: no more than ${money.format(settings.max_pence_per_month)} in 30 days is charged.`,
};

export function sayState(settings, money, isLow) {
  const { obstacle, open_attempt: attempt } = settings;
  const doing = attempt ? ATTEMPTS[attempt.state]?.(money.format(attempt.amount_pence), isLow) : "";
  const why = obstacle
    ? OBSTACLES[obstacle]?.(settings, money)
    : "Your balance is low: a recharge starts with the next charge.";
  return [doing, why].filter(Boolean).join(" ");
}

// Who has topped up since is not to pay once more.
export const wantsApproval = ({ open_attempt: attempt }, isLow) =>
  isLow && attempt?.state === "requires_action";

export function sayCard({ has_payment_method: saved, payment_method: card }) {
  if (!saved) return "No card is saved. Top up once by card, and it is saved for auto-recharge.";
  if (!card?.last4) return "A card is saved.";
  const name = BRANDS[card.brand] ?? capitalise(card.brand ?? "card");
  const expiry = card.exp_month
    ? `, expires ${String(card.exp_month).padStart(2, "0")}/${card.exp_year}`
    : "";
  return `${name} ending ${card.last4}${expiry}`;
}

const capitalise = (word) => word.charAt(0).toUpperCase() + word.slice(1).replaceAll("_", " ");
