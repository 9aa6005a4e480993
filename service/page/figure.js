// A chart with its twin: the same figures as a table, for who can't see or doesn't like charts.

import { byId, make } from "./dom.js";

export class Figure {
  constructor(id) {
    this.element = byId(id);
    this.plot = this.element.querySelector(".plot");
    this.readout = this.element.querySelector(".readout");
    this.toggle = this.element.querySelector("button");
    this.asTable = false;
    this.subject = this.toggle.querySelector(".unseen").textContent;
    this.toggle.addEventListener("click", () => this.#switch());
    new ResizeObserver(() => this.#fit()).observe(this.plot);
  }

  // `drawChart(width)` gives a plot and a legend, or says that there is `nothing` to draw;
  // `makeTable()` gives a table, `read(index)` the words about a day, `gist` those about all.
  show({ drawChart, makeTable, read, gist }) {
    this.drawChart = drawChart;
    this.makeTable = makeTable;
    this.read = read;
    this.gist = gist;
    this.#render();
  }

  #switch() {
    this.asTable = !this.asTable;
    const subject = make("span", { class: "unseen" }, this.subject);
    const words = ["Show ", subject, this.asTable ? "as chart" : "as table"];
    this.toggle.replaceChildren(make("span", {}, ...words));
    this.#render();
  }

  #fit() {
    if (this.drawChart && !this.asTable && this.plot.clientWidth !== this.width) this.#render();
  }

  #render() {
    this.readout.textContent = this.gist;
    this.width = this.plot.clientWidth;
    if (this.asTable) this.#renderTable();
    else if (this.width) this.#renderChart();
  }

  #renderTable() {
    const label = this.element.querySelector("h3").textContent;
    const frame = {
      class: "scroll",
      role: "region",
      tabindex: "0",
      "aria-label": `${label}, table`,
    };
    this.plot.replaceChildren(make("div", frame, this.makeTable()));
  }

  #renderChart() {
    const { plot, legend = [], nothing } = this.drawChart(this.width);
    if (nothing) {
      this.plot.replaceChildren(make("p", { class: "empty" }, nothing));
      return;
    }
    this.plot.replaceChildren(plot.svg, ...legend);
    plot.svg.addEventListener("pointermove", (event) =>
      this.#point(plot, plot.dayAt(event.clientX)),
    );
    plot.svg.addEventListener("pointerleave", () => this.#point(plot, null));
  }

  #point(plot, index) {
    plot.svg.querySelector(".pointed")?.remove();
    this.readout.textContent = index === null ? this.gist : this.read(index);
    if (index !== null) plot.svg.append(plot.mark(index));
  }
}

// A table of texts: the first column names the row, the others are amounts.
export function makeTable(id, caption, columns, rows) {
  const head = columns.map((text, position) =>
    make("th", { scope: "col", class: position > 0 && "number" }, text),
  );
  const body = rows.map(([name, ...amounts]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      ...amounts.map((text) => make("td", { class: "number" }, text)),
    ),
  );
  return make(
    "table",
    { id },
    make("caption", { class: "unseen" }, caption),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
}
