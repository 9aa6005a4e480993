// Days and times by the clock of the reader. A day is a text such as 2026-11-21.

import { LOCALE } from "./locale.js";

const CLOCK = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" });
const SHORT = dayFormat({ day: "numeric", month: "short" });
const LONG = dayFormat({ weekday: "short", day: "numeric", month: "short", year: "numeric" });

export const timeZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

// 21 Nov 2026, 14:05
export const showTime = (time) => CLOCK.format(new Date(time));

// 21 Nov
export const shortDay = (day) => SHORT.format(new Date(day));

// Sat, 21 Nov 2026
export const longDay = (day) => LONG.format(new Date(day));

export function today(zone) {
  const part = dayParts(zone);
  return `${part.year}-${part.month}-${part.day}`;
}

export function daysBefore(day, count) {
  const date = new Date(day);
  date.setUTCDate(date.getUTCDate() - count);
  return date.toISOString().slice(0, 10);
}

// The moment when a day begins here, as the server reads it.
export function startOfDay(day) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date).toISOString();
}

function dayParts(zone) {
  const format = new Intl.DateTimeFormat("en", {
    timeZone: zone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  });
  return Object.fromEntries(
    format.formatToParts(new Date()).map((part) => [part.type, part.value]),
  );
}

function dayFormat(fields) {
  return new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", ...fields });
}
