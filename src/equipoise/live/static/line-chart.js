/**
 * Lines over steps: bands, a line to compare with, marks; zoomed with the mouse, a finger or the keyboard.
 *
 * The same zoom and cursor can be shared by many charts: `onZoom` and `onCursor` tell, `setRange` and `setCursor` obey.
 */

import { element, number, replaceChildren, setText, svgElement, table } from "./dom.js";
import { drawnAxes, drawnLine, MARGIN } from "./line-drawing.js";
import { clamp, finiteOf, nearestIndex, scaleOf, verticalRange } from "./scales.js";

const LEAST_DRAG = 8; // pixels; less is a click
const TABLE_ROWS = 8;
let charts = 0;

/**
 * @typedef {Object} Line
 * @property {string} name in the legend
 * @property {string} colour class without `c-`: real, fake, discriminator, generator, ink, muted, line-1 to line-8
 * @property {boolean} [dash]
 * @property {"dot"|"hollow"|"tick"|"none"} [mark] drawn at every value
 * @property {boolean} [isPoints] marks without a line
 * @property {boolean} [isSparse] measured at few of the steps: the line goes on across the others
 *
 * @typedef {Object} Values of one line
 * @property {Array<number|null>} mean
 * @property {Array<number|null>} [low] lower edge of the band
 * @property {Array<number|null>} [high]
 *
 * @typedef {Object} Options
 * @property {string} title for screen readers
 * @property {Line[]} lines
 * @property {string} [axis] name of the vertical axis
 * @property {string} [horizontal] name of the horizontal one
 * @property {"zoom"|"log"|"zero"|"probability"|"all"} [scale]
 * @property {{value: number, name: string}} [reference] a line to compare with
 * @property {number} [height] in CSS pixels
 * @property {boolean} [whiskers] bands as a bar at each value
 * @property {HTMLElement} [numbersHost] where the table of numbers goes; after the chart by default
 * @property {string} [numbersName] what tells it from other tables of the same card
 */

export class LineChart {
  /**
   * @param {HTMLElement} host where the chart goes
   * @param {Options} options
   */
  constructor(host, options) {
    this.options = { scale: "zoom", axis: "", horizontal: "step", height: 210, ...options };
    this.x = [];
    this.values = options.lines.map(() => ({ mean: [] }));
    this.range = null; // shown ends of the horizontal axis; null shows everything
    this.place = -1; // index of the cursor
    this.onZoom = () => {};
    this.onCursor = () => {};
    charts += 1;
    this.clip = `plane-${charts}`;
    this.outputs = options.lines.map(() => element("output", {}));
    this.legend = element("ul", { class: "legend" }, ...this.legendEntries());
    this.svg = svgElement("svg", { "aria-hidden": "true", focusable: "false" });
    this.plane = element("div", {
      class: "plane",
      tabindex: "0",
      role: "slider",
      "aria-label": `${options.title}: ${this.options.horizontal}`,
      "aria-valuemin": "0",
      "aria-valuemax": "0",
      "aria-valuenow": "0",
    });
    this.plane.style.height = `${this.options.height}px`;
    this.plane.append(this.svg);
    this.summary = element("p", { class: "visually-hidden" });
    this.numbers = element("details", { class: "numbers" }, element("summary", { text: `The same in numbers${options.numbersName ? `: ${options.numbersName}` : ""}` }));
    this.numbers.addEventListener("toggle", () => this.fillTable());
    host.append(element("div", { class: "chart" }, this.legend, this.plane, this.summary));
    (options.numbersHost ?? host).append(this.numbers);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.plane);
  }

  /**
   * Show other values.
   * @param {number[]} x ascending
   * @param {Values[]} values one for each line
   */
  setData(x, values) {
    this.x = x;
    this.values = values;
    if (this.place >= x.length) this.place = -1;
    this.draw();
  }

  /** Show from one end to another; `null` shows everything. */
  setRange(range) {
    this.range = range;
    this.draw();
  }

  /** Put the cursor at a value of the horizontal axis; `null` takes it away. */
  setCursor(value) {
    const place = value === null || !this.x.length ? -1 : nearestIndex(this.x, value);
    if (place === this.place) return;
    this.place = place;
    this.drawCursor();
  }

  /** Draw soon, once for however many changes until then. */
  draw() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.drawNow();
    });
  }

  legendEntries() {
    const entries = this.options.lines.map((line, place) =>
      element(
        "li",
        { class: `c-${line.colour}` },
        element("span", { class: `swatch${line.dash ? " dash" : ""}${line.isPoints ? " square" : ""}` }),
        element("span", { text: line.name }),
        this.outputs[place],
      ),
    );
    if (this.options.reference) {
      entries.push(
        element("li", { class: "c-ink" }, element("span", { class: "swatch dash" }), this.options.reference.name),
      );
    }
    return entries;
  }

  ends() {
    if (this.range) return this.range;
    if (!this.x.length) return [0, 1];
    const [first, last] = [this.x[0], this.options.last ?? this.x[this.x.length - 1]];
    return first < last ? [first, last] : [first - 0.5, last + 0.5];
  }

  drawNow() {
    const { width, height } = this.plane.getBoundingClientRect();
    if (width < 40) return;
    const { lines, reference, scale, axis, whiskers } = this.options;
    const [from, to] = this.ends();
    const [first, last] = this.shownPlaces(from, to);
    const cut = (list) => (list ? list.slice(first, last + 1) : undefined);
    const shown = this.values.map(({ mean, low, high }) => ({ mean: cut(mean), low: cut(low), high: cut(high) }));
    const means = shown.map(({ mean }) => mean);
    if (whiskers) means.push(...shown.flatMap(({ low, high }) => [low, high]));
    const range = verticalRange(means, scale, reference ? [reference.value] : []);
    const y = scaleOf(range, height - MARGIN.bottom, MARGIN.top);
    const x = scaleOf({ low: from, high: to, isLog: false }, MARGIN.left, width - MARGIN.right);
    this.toX = x;
    const xs = cut(this.x).map(x);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const plane = svgElement("g", { "clip-path": `url(#${this.clip})` });
    for (const [place, line] of lines.entries()) plane.append(...drawnLine(line, shown[place], xs, y, whiskers));
    if (reference && reference.value !== null) {
      const at = y(reference.value);
      plane.append(svgElement("path", { class: "reference", d: `M${MARGIN.left} ${at}H${width - MARGIN.right}` }));
    }
    this.cursor = svgElement("g");
    this.cursorLabel = svgElement("text", { class: "cursor-label" }); // above the plane, which cuts off what leaves it
    this.selection = svgElement("rect", { class: "selection", y: MARGIN.top, height: height - MARGIN.bottom - MARGIN.top });
    plane.append(this.cursor, this.selection);
    this.y = y;
    replaceChildren(
      this.svg,
      svgElement("clipPath", { id: this.clip }, svgElement("rect", {
        x: MARGIN.left - 4, y: MARGIN.top - 6, width: width - MARGIN.left - MARGIN.right + 8, height: height - MARGIN.bottom - MARGIN.top + 8,
      })),
      ...drawnAxes({ width, height, x, y, range, from, to, axis, horizontal: this.options.horizontal }),
      plane,
      this.cursorLabel,
    );
    this.describe();
    this.drawCursor();
  }

  /** Places of the first and last value that are seen, with one more on either side so that lines leave the plane. */
  shownPlaces(from, to) {
    let first = 0;
    let last = this.x.length - 1;
    while (first < last && this.x[first + 1] < from) first += 1;
    while (last > first && this.x[last - 1] > to) last -= 1;
    return [first, last];
  }

  drawCursor() {
    if (!this.cursor) return;
    const place = this.place;
    for (const [index, output] of this.outputs.entries()) {
      setText(output, place < 0 ? "" : number(this.values[index].mean[place]));
    }
    if (place < 0) {
      replaceChildren(this.cursor);
      setText(this.cursorLabel, "");
      return;
    }
    const at = this.toX(this.x[place]);
    const dots = this.options.lines.map((line, index) => {
      const value = this.values[index].mean[place];
      return value !== null && Number.isFinite(value) && svgElement("circle", { class: `dot c-${line.colour}`, cx: at, cy: this.y(value), r: 4 });
    });
    const isRight = at > this.plane.clientWidth / 2;
    const words = `${this.options.horizontal} ${number(this.x[place], 12)}`;
    setText(this.cursorLabel, words);
    for (const [name, value] of [["x", at + (isRight ? 4 : -4)], ["y", MARGIN.top - 8], ["text-anchor", isRight ? "end" : "start"]]) {
      this.cursorLabel.setAttribute(name, String(value));
    }
    replaceChildren(this.cursor, svgElement("path", { class: "cursor", d: `M${at} ${MARGIN.top}V${this.options.height - MARGIN.bottom}` }), ...dots);
    this.plane.setAttribute("aria-valuenow", String(this.x[place]));
    this.plane.setAttribute("aria-valuetext", `${words}: ${this.spoken(place)}`);
  }

  spoken(place) {
    return this.options.lines.map((line, index) => `${line.name} ${number(this.values[index].mean[place])}`).join(", ");
  }

  /** The text that stands for the figure. */
  describe() {
    const parts = this.options.lines.map((line, index) => {
      const values = finiteOf([this.values[index].mean]);
      if (!values.length) return `${line.name}: nothing was measured.`;
      const [least, most] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
      return `${line.name}: from ${number(values[0])} to ${number(values[values.length - 1])}, between ${number(least)} and ${number(most)}.`;
    });
    if (this.options.reference) parts.push(`${this.options.reference.name}.`);
    setText(this.summary, `${this.options.title}. ${parts.join(" ")}`);
    this.plane.setAttribute("aria-valuemin", String(this.x[0] ?? 0));
    this.plane.setAttribute("aria-valuemax", String(this.x[this.x.length - 1] ?? 0));
    if (this.numbers.open) this.fillTable();
  }

  fillTable() {
    this.numbers.querySelector(".scroll")?.remove();
    if (!this.numbers.open || !this.x.length) return;
    const [first, last] = this.shownPlaces(...this.ends());
    const count = Math.min(TABLE_ROWS, last - first + 1);
    const places = [...new Set(Array.from({ length: count }, (_, k) => first + Math.round((k * (last - first)) / Math.max(1, count - 1))))];
    const rows = places.map((place) => [number(this.x[place], 12), ...this.values.map(({ mean }) => number(mean[place]))]);
    this.numbers.append(table([this.options.horizontal, ...this.options.lines.map((line) => line.name)], rows, { caption: "" }));
  }

  listen() {
    let start = null;
    const valueAt = (event) => {
      const box = this.plane.getBoundingClientRect();
      const [from, to] = this.ends();
      const share = (event.clientX - box.left - MARGIN.left) / Math.max(1, box.width - MARGIN.left - MARGIN.right);
      return from + clamp(share, 0, 1) * (to - from);
    };
    this.plane.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      start = { pixel: event.clientX, value: valueAt(event) };
      this.plane.setPointerCapture?.(event.pointerId);
    });
    this.plane.addEventListener("pointermove", (event) => {
      const value = valueAt(event);
      this.moveTo(value);
      if (start === null || !this.selection) return;
      const [a, b] = [this.toX(start.value), this.toX(value)].sort((p, q) => p - q);
      this.selection.setAttribute("x", String(a));
      this.selection.setAttribute("width", String(b - a));
    });
    this.plane.addEventListener("pointerup", (event) => {
      const begun = start;
      start = null;
      this.selection?.setAttribute("width", "0");
      if (begun && Math.abs(event.clientX - begun.pixel) >= LEAST_DRAG) this.zoom([begun.value, valueAt(event)].sort((p, q) => p - q));
    });
    this.plane.addEventListener("pointercancel", () => {
      start = null;
      this.selection?.setAttribute("width", "0");
    });
    this.plane.addEventListener("pointerleave", () => start === null && this.moveTo(null));
    this.plane.addEventListener("dblclick", () => this.zoom(null));
    this.plane.addEventListener("blur", () => this.moveTo(null));
    this.plane.addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.x.length) return;
    const [from, to] = this.ends();
    const [first, last] = this.shownPlaces(from, to);
    const at = this.place < 0 ? last : this.place;
    const far = Math.max(1, Math.round((last - first) / 10));
    const moves = {
      ArrowLeft: at - (event.shiftKey ? far : 1),
      ArrowRight: this.place < 0 ? at : at + (event.shiftKey ? far : 1),
      PageUp: at + far,
      PageDown: at - far,
      Home: first,
      End: last,
    };
    if (event.key in moves) this.moveTo(this.x[clamp(moves[event.key], first, last)]);
    else if (event.key === "+" || event.key === "-") {
      const half = ((to - from) / 2) * (event.key === "+" ? 0.5 : 2);
      const centre = this.x[at];
      this.zoom([centre - half, centre + half]);
    } else if (event.key === "0" || event.key === "Escape") this.zoom(null);
    else return;
    event.preventDefault();
  }

  moveTo(value) {
    this.setCursor(value);
    this.onCursor(value);
  }

  zoom(range) {
    this.range = range;
    this.draw();
    this.onZoom(range);
  }
}
