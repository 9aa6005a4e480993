// Amounts in minor units of a currency, which are whole numbers, as people read and write them.

import { LOCALE } from "./locale.js";

const MINUS = "−";

// In British English these would be US$ and JP¥; the currency is written out where money is paid.
const NARROW = new Set(["usd", "jpy"]);

export class Money {
  constructor(currency, decimals = usualDecimals(currency)) {
    this.code = currency.toUpperCase();
    this.decimals = decimals;
    const style = {
      style: "currency",
      currency: this.code,
      currencyDisplay: NARROW.has(currency) ? "narrowSymbol" : "symbol",
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    };
    this.full = new Intl.NumberFormat(LOCALE, style);
    this.trimmed = new Intl.NumberFormat(LOCALE, {
      ...style,
      trailingZeroDisplay: "stripIfInteger",
    });
    this.symbol = this.full.formatToParts(0).find((part) => part.type === "currency").value;
  }

  // £1,234.50
  format(pence) {
    return this.#write(this.full, pence);
  }

  // £10, but £10.50
  short(pence) {
    return this.#write(this.trimmed, pence);
  }

  // +£50.00 or −£0.85
  signed(pence, direction) {
    return (direction === "debit" ? MINUS : "+") + this.format(pence);
  }

  // £19.75 GBP
  coded(pence) {
    const text = this.format(pence);
    return text.includes(this.code) ? text : `${text} ${this.code}`;
  }

  // 19.75, as it is typed
  plain(pence) {
    const digits = String(Math.abs(pence)).padStart(this.decimals + 1, "0");
    const point = digits.length - this.decimals;
    const fraction = digits.slice(point);
    return (pence < 0 ? "-" : "") + digits.slice(0, point) + (fraction && `.${fraction}`);
  }

  // Minor units of what was typed, or null. Digits are moved, never multiplied: 19.75 is 1975.
  parse(typed) {
    const text = typed.replace(this.symbol, "").replace(/\s/g, "");
    const [, whole, fraction = ""] =
      /^(\d+)(?:[.](\d+))?$/.exec(withoutGroups(text, this.decimals)) ?? [];
    if (whole === undefined || fraction.length > this.decimals) return null;
    const pence = Number(whole + fraction.padEnd(this.decimals, "0"));
    return Number.isSafeInteger(pence) ? pence : null;
  }

  #write(format, pence) {
    // A text of digits is formatted as exactly as it stands.
    const text = format.format(this.plain(Math.abs(pence)));
    return pence < 0 ? MINUS + text : text;
  }
}

// 1,234.50 and 1,234 have groups, 19,75 a decimal comma. With three decimals 1,234 could be either.
function withoutGroups(text, decimals) {
  if (decimals < 3 && /^\d{1,3}(,\d{3})+([.]\d+)?$/.test(text)) return text.replaceAll(",", "");
  return /^\d+,\d{1,2}$/.test(text) ? text.replace(",", ".") : text;
}

function usualDecimals(currency) {
  const format = new Intl.NumberFormat(LOCALE, { style: "currency", currency });
  return format.resolvedOptions().maximumFractionDigits;
}
