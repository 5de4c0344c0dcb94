/** The parts of a line chart as SVG: lines with their bands and marks, and axes. */

import { number, svgElement } from "./dom.js";
import { clamp, digitsApart, logTicks, ticks } from "./scales.js";

export const MARGIN = { top: 20, right: 12, bottom: 24, left: 52 };

/** One line of a chart: its band or whiskers, the line itself, its marks. */
export function drawnLine(line, { mean, low, high }, xs, y, whiskers) {
  const colour = `c-${line.colour}`;
  const parts = [];
  const isNumber = (value) => value !== null && value !== undefined && Number.isFinite(value);
  if (low && high && whiskers) {
    for (const [k, x] of xs.entries()) {
      if (isNumber(low[k]) && isNumber(high[k])) {
        parts.push(svgElement("path", { class: `whisker ${colour}`, d: `M${x.toFixed(1)} ${y(low[k]).toFixed(1)}V${y(high[k]).toFixed(1)}` }));
      }
    }
  } else if (low && high) parts.push(svgElement("path", { class: `band ${colour}`, d: bandPath(xs, low, high, y) }));
  if (!line.isPoints) parts.push(svgElement("path", { class: `line ${colour}${line.dash ? " dash" : ""}`, d: linePath(xs, mean, y, line.isSparse) }));
  if (!line.mark && !line.isPoints && xs.length) {
    // A line of one value has no length: without a dot a short run's figure would look as if nothing had been measured.
    const only = mean.flatMap((value, k) => (isNumber(value) ? [k] : []));
    if (only.length === 1) parts.push(svgElement("circle", { class: `dot ${colour}`, cx: xs[only[0]], cy: y(mean[only[0]]), r: 3 }));
  }
  if (line.mark && line.mark !== "none") {
    for (const [k, x] of xs.entries()) {
      if (!isNumber(mean[k])) continue;
      if (line.mark === "tick") parts.push(svgElement("path", { class: `tick-mark ${colour}`, d: `M${x - 5} ${y(mean[k])}h10` }));
      else parts.push(svgElement("circle", { class: `dot ${colour}${line.mark === "hollow" ? " hollow" : ""}`, cx: x, cy: y(mean[k]), r: 4 }));
    }
  }
  return parts;
}

function linePath(xs, values, y, isSparse) {
  let path = "";
  let isOpen = false;
  for (let k = 0; k < xs.length; k += 1) {
    const value = values[k];
    if (value === null || value === undefined || !Number.isFinite(value)) {
      isOpen = isOpen && Boolean(isSparse);
      continue;
    }
    path += `${isOpen ? "L" : "M"}${xs[k].toFixed(1)} ${clamp(y(value), -1e4, 1e4).toFixed(1)}`;
    isOpen = true;
  }
  return path;
}

function bandPath(xs, low, high, y) {
  let path = "";
  for (let k = 0; k < xs.length; ) {
    const first = k;
    while (k < xs.length && Number.isFinite(low[k] ?? NaN) && Number.isFinite(high[k] ?? NaN)) k += 1;
    if (k - first > 1) {
      const top = [];
      const bottom = [];
      for (let place = first; place < k; place += 1) {
        top.push(`${xs[place].toFixed(1)} ${clamp(y(high[place]), -1e4, 1e4).toFixed(1)}`);
        bottom.push(`${xs[place].toFixed(1)} ${clamp(y(low[place]), -1e4, 1e4).toFixed(1)}`);
      }
      path += `M${top.join("L")}L${bottom.reverse().join("L")}Z`;
    }
    k = Math.max(k, first + 1);
  }
  return path;
}

/** Both axes with round numbers. */
export function drawnAxes({ width, height, x, y, range, from, to, axis, horizontal }) {
  const parts = [];
  const bottom = height - MARGIN.bottom;
  const marks = range.isLog ? logTicks(range.low, range.high) : ticks(range.low, range.high, 4);
  const digits = digitsApart(marks);
  for (const value of marks) {
    const at = y(value);
    if (at > bottom + 0.5 || at < MARGIN.top - 4) continue;
    parts.push(svgElement("path", { class: "grid-line", d: `M${MARGIN.left} ${at.toFixed(1)}H${width - MARGIN.right}` }));
    parts.push(textAt(MARGIN.left - 7, at + 4, "end", number(value, digits)));
  }
  parts.push(svgElement("path", { class: "axis-line", d: `M${MARGIN.left} ${bottom}H${width - MARGIN.right}` }));
  const places = ticks(from, to, Math.max(2, Math.floor((width - MARGIN.left) / 110))).filter((value) => value >= from && value <= to && (horizontal !== "step" || Number.isInteger(value)));
  for (const value of places) {
    const at = x(value);
    parts.push(svgElement("path", { class: "axis-line", d: `M${at.toFixed(1)} ${bottom}v4` }));
    parts.push(textAt(clamp(at, MARGIN.left, width - 20), bottom + 17, "middle", number(value, 12)));
  }
  const lastPlace = places.length ? x(places[places.length - 1]) : 0;
  if (width - lastPlace > 62) parts.push(textAt(width - MARGIN.right, bottom + 17, "end", horizontal));
  if (axis) parts.push(textAt(MARGIN.left - 44, MARGIN.top - 9, "start", axis));
  return parts;
}

function textAt(x, y, anchor, text) {
  const node = svgElement("text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor });
  node.textContent = text;
  return node;
}
