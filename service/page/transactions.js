// The ledger, newest first, a page at a time.

import { address, Failure, get } from "./api.js";
import { showTime } from "./dates.js";
import { byId, icon, make, setText } from "./dom.js";
import { explain } from "./failures.js";
import { isFiltered, openFilters, readFilters } from "./filters.js";
import { entryLabel, kindIcon } from "./kinds.js";
import { Section } from "./section.js";
import { readWallet } from "./wallet.js";

const PAGE_SIZE = 25;
// A page that filters leave empty is not the end: so many are looked at before the reader is asked.
const LOOKS = 5;

const rows = document.querySelector("#entries tbody");
const more = byId("load-more");
const status = byId("entries-status");
let running = new AbortController();
let nextBefore = null;

export const transactions = new Section("transactions", async () => {
  const { found, money } = await search(null);
  rows.replaceChildren(...found.map((entry) => makeRow(entry, money)));
  showEnd(found.length);
});

export function openTransactions() {
  openFilters(() => {
    showExport();
    transactions.show({ quietly: true });
  });
  more.addEventListener("click", loadEarlier);
  showExport();
  return transactions.show();
}

// The next page of what is wanted; a newer search ends an older one.
async function search(before) {
  running.abort();
  const { signal } = (running = new AbortController());
  const { money } = await readWallet();
  const found = [];
  let next = before;
  for (let look = 0; look < LOOKS && found.length < PAGE_SIZE; look += 1) {
    const query = { ...readFilters(), limit: PAGE_SIZE - found.length, before: next };
    const page = await get("transactions", query, signal);
    found.push(...page.transactions);
    next = page.next_before;
    if (!page.has_more) break;
  }
  nextBefore = next;
  return { found, money };
}

async function loadEarlier() {
  if (more.getAttribute("aria-busy")) return;
  more.setAttribute("aria-busy", "true");
  try {
    const { found, money } = await search(nextBefore);
    rows.append(...found.map((entry) => makeRow(entry, money)));
    showEnd(found.length);
    if (more.hidden) status.focus();
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    if (failure.error !== "aborted")
      status.textContent = explain(failure, "These could not be loaded just now.");
  } finally {
    more.removeAttribute("aria-busy");
  }
}

function showEnd(added) {
  const count = rows.children.length;
  more.hidden = nextBefore === null;
  more.textContent = added < PAGE_SIZE ? "Search further back" : "Load earlier";
  byId("entries").hidden = count === 0;
  setText(byId("entries-empty"), count === 0 && sayNone());
  const ending = nextBefore === null ? "That is all." : "";
  status.textContent = count
    ? `Showing ${count} transaction${count > 1 ? "s" : ""}. ${ending}`
    : "";
}

function sayNone() {
  if (nextBefore !== null) return "None found among the newest transactions yet.";
  return isFiltered() ? "No transactions match these filters." : "No transactions yet.";
}

function showExport() {
  byId("export").href = address("transactions.csv", readFilters());
}

function makeRow(entry, money) {
  const label = entryLabel(entry);
  const tile = make("span", { class: "tile" }, icon(kindIcon(entry.type)));
  const time = make("time", { datetime: entry.created_at }, showTime(entry.created_at));
  return make(
    "tr",
    {
      role: "row",
      "data-entry": entry.entry_number,
      "data-type": entry.type,
      "data-kind": entry.type,
    },
    cell("kind", make("div", {}, tile, label)),
    cell("description", entry.description ?? ""),
    cell("time", time),
    cell(`number amount ${entry.direction}`, money.signed(entry.amount_pence, entry.direction)),
    cell("number after", money.format(entry.balance_after_pence)),
  );
}

const cell = (name, ...content) => make("td", { role: "cell", class: name }, ...content);
