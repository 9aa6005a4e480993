// What was spent each day, as a bar of one part for each type.

import { longDay } from "./dates.js";
import { draw, make } from "./dom.js";
import { makeTable } from "./figure.js";
import { isSpending, kindLabel } from "./kinds.js";
import { Plot } from "./plot.js";

const WIDEST_BAR = 28;

export function spendingChart(history, money) {
  const days = history.days.map(({ day, debits }) => ({ day, parts: spent(debits) }));
  const totals = sumByKind(days);
  const label = describe(days, totals, money);
  return {
    drawChart: (width) =>
      totals.length
        ? {
            plot: drawBars({ width, days, totals, money, label }),
            legend: [makeLegend(totals, money)],
          }
        : { nothing: `Nothing was spent in these ${days.length} days.` },
    makeTable: () => tabulate(days, totals, money),
    gist: totals.length ? `${money.format(sum(totals))} in ${days.length} days` : "",
    read: (index) => readDay(days[index], money),
  };
}

const spent = (debits) => Object.entries(debits).filter(([kind]) => isSpending(kind));

const sum = (parts) => parts.reduce((total, [, pence]) => total + pence, 0);

// [kind, pence] of the whole period, the largest first.
function sumByKind(days) {
  const totals = new Map();
  for (const [kind, pence] of days.flatMap(({ parts }) => parts)) {
    totals.set(kind, (totals.get(kind) ?? 0) + pence);
  }
  return [...totals].sort(([, a], [, b]) => b - a);
}

function drawBars({ width, days, totals, money, label }) {
  const plot = new Plot({
    width,
    days: days.map(({ day }) => day),
    money,
    label,
    low: 0,
    high: Math.max(...days.map(({ parts }) => sum(parts))),
  });
  const bar = Math.max(Math.min(plot.step * 0.7, WIDEST_BAR), 1.5);
  days.forEach(({ parts }, index) => {
    const pence = new Map(parts);
    let below = 0;
    for (const [kind] of totals) {
      if (!pence.has(kind)) continue;
      const [bottom, top] = [plot.y(below), plot.y(below + pence.get(kind))];
      below += pence.get(kind);
      plot.svg.append(
        draw("rect", {
          class: "bar",
          "data-kind": kind,
          x: plot.x(index) - bar / 2,
          y: top,
          width: bar,
          // A gap tells one part from the next.
          height: Math.max(bottom - top - 1, 1),
        }),
      );
    }
  });
  plot.mark = (index) => {
    const [top, bottom] = [plot.y(plot.ticks.at(-1)), plot.y(0)];
    const left = plot.x(index) - plot.step / 2;
    return draw("rect", {
      class: "pointed",
      x: left,
      y: top,
      width: plot.step,
      height: bottom - top,
    });
  };
  return plot;
}

function makeLegend(totals, money) {
  const items = totals.map(([kind, pence]) =>
    make(
      "li",
      { "data-kind": kind },
      make("span", { class: "swatch" }),
      `${kindLabel(kind)} `,
      make("span", { class: "muted" }, money.format(pence)),
    ),
  );
  return make("ul", { class: "legend" }, ...items);
}

function tabulate(days, totals, money) {
  const kinds = totals.map(([kind]) => kind);
  const rows = days.map(({ day, parts }) => row(longDay(day), parts));
  function row(name, parts) {
    const pence = new Map(parts);
    const amounts = kinds.map((kind) => money.format(pence.get(kind) ?? 0));
    return [name, ...amounts, money.format(sum(parts))];
  }
  return makeTable(
    "spending-table",
    "Spending of each day by type",
    ["Day", ...kinds.map(kindLabel), "Total"],
    [...rows, row("Total", totals)],
  );
}

function readDay({ day, parts }, money) {
  const each = parts.map(([kind, pence]) => `${kindLabel(kind)} ${money.format(pence)}`);
  const total = `${longDay(day)}: ${money.format(sum(parts))}`;
  return parts.length ? `${total} (${each.join(", ")})` : total;
}

function describe(days, totals, money) {
  const each = totals.map(([kind, pence]) => `${kindLabel(kind)} ${money.format(pence)}`);
  return (
    `Spending from ${longDay(days[0].day)} to ${longDay(days.at(-1).day)}: ` +
    `${money.format(sum(totals))} in all. ${each.join(", ")}.`
  );
}
