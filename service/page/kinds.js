// What each type of ledger entry is called, and its icon. Its colour is in theme.css, by data-kind.

const KINDS = {
  topup: ["Top-up", "topup"],
  bonus: ["Bonus", "bonus"],
  refund: ["Refund", "refund"],
  adjustment: ["Adjustment", "adjustment"],
  call_deduction: ["Call", "call"],
  sms_deduction: ["Message", "message"],
  knowledge_base_deduction: ["Knowledge base", "book"],
  phone_provisioning: ["Number set-up", "setup"],
  phone_number: ["Phone number", "number"],
  did: ["DID number", "globe"],
  license: ["Licence", "licence"],
  topup_reversal: ["Payment returned", "returned"],
};

// As the ledger counts what was spent: a correction, or money that went back, is no spending.
const NOT_SPENT = new Set(["adjustment", "topup_reversal"]);

export const KIND_NAMES = Object.keys(KINDS);

// A type that is newer than this page has its own name for a label.
export const kindLabel = (kind) => KINDS[kind]?.[0] ?? kind.replaceAll("_", " ");

export const kindIcon = (kind) => KINDS[kind]?.[1] ?? "other";

export const isSpending = (kind) => !NOT_SPENT.has(kind);

// Money that came back after a payment had been returned.
export function entryLabel({ type, direction }) {
  return type === "topup_reversal" && direction === "credit" ? "Payment restored" : kindLabel(type);
}
