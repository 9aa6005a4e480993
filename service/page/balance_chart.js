// The balance at the end of each day, as a line.

import { longDay } from "./dates.js";
import { draw } from "./dom.js";
import { makeTable } from "./figure.js";
import { Plot } from "./plot.js";

export function balanceChart(history, money) {
  const days = history.days.map(({ day }) => day);
  const balances = history.days.map((entry) => entry.closing_balance_pence);
  const label = describe(history.opening_balance_pence, days, balances, money);
  return {
    drawChart: (width) => ({ plot: drawLine({ width, days, balances, money, label }) }),
    makeTable: () =>
      makeTable(
        "balance-table",
        "Balance at the end of each day",
        ["Day", "Balance"],
        days.map((day, index) => [longDay(day), money.format(balances[index])]),
      ),
    gist: `${money.format(balances.at(-1))} now, ${money.format(history.opening_balance_pence)} ${days.length} days ago`,
    read: (index) => `${longDay(days[index])}: ${money.format(balances[index])}`,
  };
}

function drawLine({ width, days, balances, money, label }) {
  const plot = new Plot({
    width,
    days,
    money,
    label,
    low: Math.min(...balances),
    high: Math.max(...balances),
  });
  const points = balances.map((balance, index) => `${plot.x(index)},${plot.y(balance)}`);
  const floor = plot.y(0);
  const area = `M${plot.x(0)},${floor}L${points.join("L")}L${plot.x(days.length - 1)},${floor}Z`;
  plot.svg.append(
    draw("path", { class: "area", d: area }),
    draw("path", { class: "line", d: `M${points.join("L")}` }),
    dot(plot, days.length - 1, balances),
  );
  plot.mark = (index) =>
    draw(
      "g",
      { class: "pointed" },
      draw("line", {
        x1: plot.x(index),
        x2: plot.x(index),
        y1: plot.y(plot.ticks.at(-1)),
        y2: plot.y(plot.ticks[0]),
      }),
      dot(plot, index, balances),
    );
  return plot;
}

const dot = (plot, index, balances) =>
  draw("circle", { class: "dot", cx: plot.x(index), cy: plot.y(balances[index]), r: 4 });

function describe(opening, days, balances, money) {
  const lowest = balances.indexOf(Math.min(...balances));
  const highest = balances.indexOf(Math.max(...balances));
  return (
    `Balance from ${longDay(days[0])} to ${longDay(days.at(-1))}: ` +
    `${money.format(opening)} before, ${money.format(balances.at(-1))} at the end; ` +
    `lowest ${money.format(balances[lowest])} on ${longDay(days[lowest])}, ` +
    `highest ${money.format(balances[highest])} on ${longDay(days[highest])}.`
  );
}
