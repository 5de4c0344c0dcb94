/** Elements made from plain text: nothing that a run folder says ever becomes markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element.
 * @param {string} name of the tag
 * @param {Object<string, any>} [attributes] `class`, `text`, `prose` (text with names in backticks), `on` (listeners by event), `dataset`, and plain attributes; null ones are left out
 * @param {...(Node|string|null|undefined|false)} children text stays text
 * @returns {HTMLElement}
 */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for a tag of SVG. */
export function svgElement(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Replace all children of a node. */
export function replaceChildren(node, ...children) {
  node.replaceChildren(...children.filter(isShown));
  return node;
}

/** Set the text of a node, and touch it only when it changes: screen readers speak changes. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * A sentence as nodes: what stands between two backticks is a name, and is set as one. Both stay text.
 * @param {string} text
 * @returns {Array<Node|string>}
 */
export function prose(text) {
  return String(text ?? "").split(/`([^`\n]+)`/).map((part, place) => (place % 2 ? element("code", { text: part }) : part));
}

/** The element with an id that the page is known to have. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** The plain values that the server wrote into the page. */
export function pageData() {
  return JSON.parse(document.querySelector('meta[name="data"]').content);
}

/** A table with a header; a column of numbers is set to the right. */
export function table(header, rows, { caption = "", className = "rows" } = {}) {
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption || "table" },
    element(
      "table",
      { class: className },
      caption && element("caption", { text: caption }),
      element("thead", {}, element("tr", {}, ...header.map((text) => element("th", { scope: "col", text })))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((text) => element("td", { text }))))),
    ),
  );
}

/** Names beside values. */
export function facts(rows, caption = "") {
  return element(
    "table",
    { class: "facts" },
    caption && element("caption", { text: caption }),
    element(
      "tbody",
      {},
      ...rows.map(([name, value]) =>
        element("tr", {}, element("th", { scope: "row", text: name }), element("td", { text: value })),
      ),
    ),
  );
}

/** A number as the reports write it: four digits that count, thousands apart. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size < 1e15 && (Number.isInteger(value) || size >= 10000)) return Math.round(value).toLocaleString("en-GB").replace("-", "−");
  const text = size !== 0 && size < 1e-4 ? value.toExponential(digits - 1) : String(Number(value.toPrecision(digits)));
  return text.replace(/\.?0+e/, "e").replace("-", "−").replace("e-", "e−");
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name === "prose") node.append(...prose(value));
    else if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter(isShown));
  return node;
}

function isShown(child) {
  return child !== null && child !== undefined && child !== false && child !== "";
}
