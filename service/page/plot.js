// The arithmetic of a chart and its axes: days across, amounts up.

import { shortDay } from "./dates.js";
import { draw } from "./dom.js";

const HEIGHT = 220;
const MARGIN = { top: 12, right: 20, bottom: 26 };
const LETTER = 7.2;
const DATE_WIDTH = 64;

export class Plot {
  // `low` and `high` are the amounts that have to fit, in minor units.
  constructor({ width, days, low, high, money, label }) {
    this.days = days;
    this.ticks = findTicks(low, high, 10 ** money.decimals);
    this.texts = this.ticks.map((tick) => money.short(tick));
    this.left = Math.max(...this.texts.map((text) => text.length)) * LETTER + 12;
    this.right = width - MARGIN.right;
    this.step = (this.right - this.left) / days.length;
    this.svg = draw("svg", {
      role: "img",
      "aria-label": label,
      width,
      height: HEIGHT,
      viewBox: `0 0 ${width} ${HEIGHT}`,
    });
    this.#drawAxes();
  }

  // The middle of a day.
  x(index) {
    return round(this.left + (index + 0.5) * this.step);
  }

  y(pence) {
    const [first, last] = [this.ticks[0], this.ticks.at(-1)];
    const share = (pence - first) / (last - first);
    return round(HEIGHT - MARGIN.bottom - share * (HEIGHT - MARGIN.bottom - MARGIN.top));
  }

  // The day under a pointer, as an index.
  dayAt(clientX) {
    const x = clientX - this.svg.getBoundingClientRect().left;
    const index = Math.floor((x - this.left) / this.step);
    return Math.min(Math.max(index, 0), this.days.length - 1);
  }

  #drawAxes() {
    this.ticks.forEach((tick, position) => {
      const y = this.y(tick);
      this.svg.append(
        draw("line", {
          class: tick === 0 ? "zero" : "grid",
          x1: this.left,
          x2: this.right,
          y1: y,
          y2: y,
        }),
        draw("text", { x: this.left - 8, y: y + 4, "text-anchor": "end" }, this.texts[position]),
      );
    });
    // Counted from the last day, which is the one that everybody looks for.
    const every = Math.ceil(DATE_WIDTH / this.step);
    for (let index = this.days.length - 1; index >= 0; index -= every) {
      const x = this.x(index);
      if (x - DATE_WIDTH / 2 < 0) break;
      this.svg.append(
        draw("text", { x, y: HEIGHT - 6, "text-anchor": "middle" }, shortDay(this.days[index])),
      );
    }
  }
}

// Four steps or so of 1, 2 or 5 times a power of ten, from at or below zero to at or above it.
// Where all is zero, there is one step, of one whole unit.
function findTicks(low, high, unit) {
  const [bottom, top] = [Math.min(low, 0), Math.max(high, 0)];
  const rough = (top - bottom) / 4 || unit;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max([1, 2, 5, 10].find((factor) => factor * power >= rough) * power, 1);
  const first = Math.floor(bottom / step);
  const last = Math.max(Math.ceil(top / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

const round = (value) => Math.round(value * 10) / 10;
