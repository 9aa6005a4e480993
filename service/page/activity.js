// The charts of a period that the reader chooses.

import { Failure, get } from "./api.js";
import { balanceChart } from "./balance_chart.js";
import { daysBefore, timeZone, today } from "./dates.js";
import { byId } from "./dom.js";
import { Figure } from "./figure.js";
import { Section } from "./section.js";
import { spendingChart } from "./spending_chart.js";
import { readWallet } from "./wallet.js";

const BAD_REQUEST = 400;

const balance = new Figure("balance-chart");
const spending = new Figure("spending-chart");
let running = new AbortController();

export const activity = new Section("activity", async () => {
  running.abort();
  running = new AbortController();
  const [history, { money }] = await Promise.all([readHistory(running.signal), readWallet()]);
  balance.show(balanceChart(history, money));
  spending.show(spendingChart(history, money));
});

export function openActivity() {
  byId("periods").addEventListener("change", () => activity.show({ quietly: true }));
  return activity.show();
}

// A database that is older than the reader's time zone counts in UTC.
async function readHistory(signal) {
  try {
    return await readPeriod(timeZone(), signal);
  } catch (failure) {
    if (!(failure instanceof Failure) || failure.status !== BAD_REQUEST) throw failure;
    return readPeriod("UTC", signal);
  }
}

function readPeriod(zone, signal) {
  const count = Number(document.querySelector("[name=period]:checked").value);
  const to = today(zone);
  return get("history", { from: daysBefore(to, count - 1), to, time_zone: zone }, signal);
}
