// What a customer may top up by: amounts, plans, or an amount of their own.

import { byId, make, setText } from "./dom.js";
import { Money } from "./money.js";

const DOLLARS = new Money("usd");

const custom = byId("top-up-custom");
const amount = byId("custom-amount");
const currency = byId("custom-currency");

// Shows the options; answers whether there are any.
export function showChoices(options, money) {
  const presets = options.offered
    ? options.presets_pence.map((pence) => presetChoice(pence, money))
    : [];
  const own = options.offered ? [choice("custom", "Other amount")] : [];
  const plans = options.plans.map((plan) => planChoice(plan, money));
  byId("top-up-presets").replaceChildren(...presets, ...own);
  byId("top-up-plans").replaceChildren(...plans);
  const first = document.querySelector("[name=choice]");
  if (first) first.checked = true;
  showCustom(options, money);
  return Boolean(first);
}

// Only the amount of one's own has a field.
export function revealCustom() {
  custom.hidden = chosen() !== "custom";
}

const inDollars = () => !currency.hidden && currency.value === "usd";

export function showUnit(money) {
  byId("custom-unit").textContent = inDollars() ? DOLLARS.symbol : money.symbol;
}

// What is wanted: { pricePence, amountPence }, { pricePence, plan } or { usdCents }; or the
// sentence that says what is wrong with the typed amount.
export function readChoice(options, money) {
  const value = chosen();
  const [kind, name] = [value?.split(":", 1)[0], value?.slice(value.indexOf(":") + 1)];
  if (kind === "amount") return { pricePence: Number(name), amountPence: Number(name) };
  if (kind === "plan") {
    const plan = options.plans.find((offered) => offered.plan === name);
    return { pricePence: plan.price_pence, plan: name };
  }
  return readCustom(options, money);
}

export function showCustomError(problem) {
  amount.setAttribute("aria-invalid", Boolean(problem));
  setText(byId("custom-error"), problem);
  byId("custom-hint").hidden = Boolean(problem);
}

export const sayLimits = ({ min_pence, max_pence }, money) =>
  `From ${money.short(min_pence)} to ${money.short(max_pence)} can be topped up at a time.`;

function readCustom(options, money) {
  const unit = inDollars() ? DOLLARS : money;
  const pence = unit.parse(amount.value);
  if (pence === null)
    return { problem: `Enter an amount such as ${unit.plain(options.min_pence)}.` };
  if (inDollars())
    return pence > 0 ? { usdCents: pence } : { problem: "Enter an amount above zero." };
  if (pence < options.min_pence || pence > options.max_pence) {
    return { problem: sayLimits(options, money) };
  }
  return { pricePence: pence, amountPence: pence };
}

const chosen = () => document.querySelector("[name=choice]:checked")?.value;

function showCustom(options, money) {
  currency.replaceChildren(
    make("option", { value: "wallet" }, money.code),
    make("option", { value: "usd" }, DOLLARS.code),
  );
  currency.hidden = !options.usd;
  if (options.offered) byId("custom-hint").textContent = sayLimits(options, money);
  showUnit(money);
  revealCustom();
}

const presetChoice = (pence, money) => choice(`amount:${pence}`, money.short(pence));

function planChoice(plan, money) {
  const gets = money.short(plan.credit_pence + plan.bonus_pence);
  const terms = `pay ${money.short(plan.price_pence)}, get ${gets}`;
  return choice(
    `plan:${plan.plan}`,
    make("strong", {}, plan.name),
    make("span", { class: "unseen" }, " – "),
    make("span", {}, terms),
  );
}

function choice(value, ...content) {
  const input = make("input", { type: "radio", name: "choice", value });
  return make("label", { class: "choice" }, input, make("span", {}, ...content));
}
