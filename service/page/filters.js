// Which transactions are wanted: by type and by day.

import { daysBefore, startOfDay } from "./dates.js";
import { byId, icon, make, setBusy, setText } from "./dom.js";
import { KIND_NAMES, kindIcon, kindLabel } from "./kinds.js";

const from = byId("filter-from");
const to = byId("filter-to");

// `changed` is called with each choice that can be asked for.
export function openFilters(changed) {
  byId("filter-types").append(...KIND_NAMES.map(makeChip));
  byId("filters-form").addEventListener("submit", (event) => event.preventDefault());
  byId("filters-form").addEventListener("change", () => {
    showCount();
    if (check()) changed();
  });
  byId("filters-clear").addEventListener("click", () => {
    if (!isFiltered()) return;
    byId("filters-form").reset();
    showCount();
    check();
    changed();
  });
  // A browser that goes back, or reloads, may have kept what was chosen.
  showCount();
}

// As the server is asked for it: days are the reader's, and the last one is included.
export function readFilters() {
  return {
    type: checkedTypes(),
    from: from.value ? startOfDay(from.value) : null,
    to: to.value ? startOfDay(daysBefore(to.value, -1)) : null,
  };
}

export const isFiltered = () => countFilters() > 0;

const checkedTypes = () =>
  Array.from(document.querySelectorAll("[name=type]:checked"), (input) => input.value);

const countFilters = () => checkedTypes().length + (from.value ? 1 : 0) + (to.value ? 1 : 0);

function showCount() {
  const count = countFilters();
  byId("filters-count").textContent = count ? ` (${count})` : "";
  setBusy(byId("filters-clear"), count === 0);
}

function check() {
  const reversed = Boolean(from.value && to.value && to.value < from.value);
  to.setAttribute("aria-invalid", reversed);
  setText(byId("filter-error"), reversed && "The last day must not be before the first.");
  return !reversed;
}

function makeChip(kind) {
  const input = make("input", { type: "checkbox", name: "type", value: kind });
  const shown = make("span", { "data-kind": kind }, icon(kindIcon(kind)), kindLabel(kind));
  return make("label", { class: "chip" }, input, shown);
}
