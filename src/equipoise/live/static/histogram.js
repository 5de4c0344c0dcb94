/** Two histograms over common edges, real above and generated on top of it, as shares. */

import { element, number, replaceChildren, svgElement } from "./dom.js";
import { scaleOf, ticks } from "./scales.js";

const MARGIN = { top: 8, right: 12, bottom: 24, left: 12 };
const HEIGHT = 190;

/**
 * @param {HTMLElement} host
 * @param {{edges: number[], real: number[], fake: number[], step: number, horizontal: string, mark: number|null, title: string}} found
 */
export function drawHistogram(host, found) {
  const svg = svgElement("svg", { role: "img", "aria-label": described(found) });
  const plane = element("div", { class: "plane" }, svg);
  plane.style.height = `${HEIGHT}px`;
  const legend = element(
    "ul",
    { class: "legend" },
    ...[["real", "real"], ["fake", "generated"]].map(([colour, name]) => element("li", { class: `c-${colour}` }, element("span", { class: "swatch square" }), name)),
    element("li", { class: "muted", text: `step ${number(found.step, 12)}` }),
  );
  host.append(element("div", { class: "chart" }, legend, plane));
  new ResizeObserver(() => draw(svg, plane, found)).observe(plane);
}

function draw(svg, plane, { edges, real, fake, horizontal, mark }) {
  const { width, height } = plane.getBoundingClientRect();
  if (width < 40) return;
  const [low, high] = [edges[0], edges[edges.length - 1]];
  const x = scaleOf({ low, high, isLog: false }, MARGIN.left, width - MARGIN.right);
  const most = Math.max(...real, ...fake, 1e-12);
  const bottom = height - MARGIN.bottom;
  const y = scaleOf({ low: 0, high: most * 1.05, isLog: false }, bottom, MARGIN.top);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const sides = [["real", real], ["fake", fake]].map(([colour, shares]) => {
    let path = `M${x(low)} ${bottom}`;
    for (const [k, share] of shares.entries()) path += `V${y(share).toFixed(1)}H${x(edges[k + 1]).toFixed(1)}`;
    return svgElement("path", { class: `bar-shape c-${colour}`, d: `${path}V${bottom}Z` });
  });
  const places = ticks(low, high, Math.max(2, Math.floor(width / 110))).filter((value) => value >= low && value <= high);
  replaceChildren(
    svg,
    ...sides,
    mark !== null && mark >= low && mark <= high && svgElement("path", { class: "reference", d: `M${x(mark)} ${MARGIN.top}V${bottom}` }),
    svgElement("path", { class: "axis-line", d: `M${MARGIN.left} ${bottom}H${width - MARGIN.right}` }),
    ...places.map((value) => labelled(x(value), bottom + 17, number(value, 3), "middle")),
    labelled(MARGIN.left, MARGIN.top + 4, horizontal, "start"),
  );
}

function labelled(x, y, text, anchor) {
  const node = svgElement("text", { x, y, "text-anchor": anchor });
  node.textContent = text;
  return node;
}

function described({ title, step, edges, real, fake }) {
  const mean = (shares) => shares.reduce((sum, share, k) => sum + share * (edges[k] + edges[k + 1]) * 0.5, 0);
  return `${title}, at step ${number(step, 12)}: mean ${number(mean(real), 3)} on real, ${number(mean(fake), 3)} on generated samples.`;
}
