// Elements, built without a string of markup: what comes from the server is only ever text.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export const make = (name, attributes, ...children) =>
  fill(document.createElement(name), attributes, children);

export const draw = (name, attributes, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

// One of the symbols of index.html; what it shows is always written beside it.
export const icon = (name) =>
  draw("svg", { class: "icon", "aria-hidden": "true" }, draw("use", { href: `#icon-${name}` }));

export function setIcon(element, name) {
  element.querySelector("use").setAttribute("href", `#icon-${name}`);
}

// Text that is hidden as long as there is none.
export function setText(element, text) {
  element.textContent = text || "";
  element.hidden = !text;
}

// A button at work keeps the focus, which `disabled` would take from it; its handler has to look.
export function setBusy(button, busy) {
  button.setAttribute("aria-disabled", busy);
}

// An attribute that is null or false is left out.
function fill(element, attributes = {}, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value != null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}
