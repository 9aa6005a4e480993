// A part of the page that is loaded: a skeleton at first, then its content, or why there is none.

import { Failure } from "./api.js";
import { byId, make } from "./dom.js";
import { explain } from "./failures.js";

const failed = new Set();

export class Section {
  // `load` reads and shows; what it throws is shown instead.
  constructor(id, load) {
    this.element = byId(id);
    this.load = load;
    this.turn = 0;
  }

  // Quietly: what is shown stays until its successor is there.
  async show({ quietly = false } = {}) {
    const turn = ++this.turn;
    if (!quietly || this.element.dataset.state === "failed") this.#enter("loading");
    this.element.setAttribute("aria-busy", "true");
    try {
      await this.load();
      if (turn === this.turn) this.#enter("ready");
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      if (turn === this.turn) this.#fail(failure);
    } finally {
      if (turn === this.turn) this.element.removeAttribute("aria-busy");
    }
  }

  #enter(state) {
    this.element.dataset.state = state;
    this.element.querySelector(".failure")?.remove();
    if (state !== "failed") failed.delete(this);
  }

  #fail(failure) {
    this.#enter("failed");
    failed.add(this);
    const retry = make("button", { type: "button" }, "Try again");
    retry.addEventListener("click", retryAll);
    const text = make("p", {}, explain(failure, "This could not be loaded just now."));
    this.element.append(make("div", { class: "failure" }, text, retry));
    byId("announcer").textContent = "Some of this page could not be loaded.";
  }
}

// What has failed together is mended together.
function retryAll(event) {
  const { element } = [...failed].find((section) => section.element.contains(event.target));
  byId("announcer").textContent = "";
  element.setAttribute("tabindex", "-1");
  element.focus();
  for (const section of [...failed]) section.show();
}
