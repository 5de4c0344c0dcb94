/** Chosen runs side by side: tables of `equipoise compare`, curves in the same axes, samples at the same share of time. */

import { byId, element, number, pageData, replaceChildren, setText, table } from "./dom.js";
import { showConnection } from "./events.js";
import { LineChart } from "./line-chart.js";
import { getJson } from "./request.js";
import { card, whenChanged } from "./run-words.js";
import { onCommonSteps } from "./scales.js";

const EVERY = 3000;
const CURVES = [
  { key: "gradient_norm/generator", title: "Length of the generator's gradient", scale: "log" },
  { key: "gradient_norm/discriminator", title: "Length of the discriminator's gradient", scale: "log" },
  { key: "generator_loss", title: "The generator's loss" },
  { key: "discriminator_loss", title: "The discriminator's loss" },
  { key: "steps_per_second", title: "Speed: steps per second", scale: "zero" },
];
const { keys } = pageData();
const query = keys.map((key) => `run=${encodeURIComponent(key)}`).join("&");
let runs = [];
let charts = []; // {chart, key, runs}
let range = null;

byId("zoom-all").addEventListener("click", () => zoom(null));

async function refresh() {
  if (!document.hidden) {
    try {
      const found = await getJson(`/api/compare?${query}`);
      runs = found.runs;
      showTables(found);
      showSamples();
      showCharts();
      await fillCharts();
      showConnection("open");
    } catch (error) {
      showConnection(error.status === 401 ? "refused" : "waiting");
    }
  }
  setTimeout(refresh, EVERY);
}

function showTables({ tables, notes }) {
  whenChanged("notes", notes, () => replaceChildren(byId("notes"), ...notes.map((text) => element("p", { class: "card", text }))));
  whenChanged("tables", tables, () =>
    replaceChildren(
      byId("tables"),
      ...tables.map(({ title, header, rows }) => element("section", { class: "card" }, table(header, rows, { caption: title }))),
    ),
  );
}

function showSamples() {
  const shown = runs.map(({ key, samples }) => [key, samples]);
  whenChanged("samples", shown, () => {
    const before = document.getElementById("share")?.value ?? "100";
    const slider = element("input", { id: "share", type: "range", min: "0", max: "100", value: before, on: { input: () => place() } });
    const words = element("label", { for: "share" });
    const figures = runs
      .filter(({ samples }) => samples.length)
      .map((run) => {
        const image = element("img", { alt: "" });
        const caption = element("figcaption", {});
        const show = (share) => {
          const step = run.samples[Math.round((share / 100) * (run.samples.length - 1))];
          const address = `/api/runs/${run.key}/picture/samples?step=${step}`;
          if (image.getAttribute("src") !== address) image.setAttribute("src", address);
          image.alt = `Samples of ${run.name} at step ${step}`;
          setText(caption, `step ${number(step, 12)}`);
        };
        return { show, node: element("figure", { class: `card c-${run.colour}` }, element("p", { class: "name", text: `${run.letter} · ${run.name}` }), image, caption) };
      });
    function place() {
      setText(words, slider.value === "100" ? "newest" : `${slider.value} % of its samples`);
      for (const { show } of figures) show(Number(slider.value));
    }
    replaceChildren(
      byId("compared-samples"),
      ...(figures.length
        ? [element("div", { class: "film-control" }, element("span", { class: "name", text: "Over time" }), slider, words), element("div", { class: "film-row" }, ...figures.map(({ node }) => node))]
        : [element("p", { class: "card absent", text: "No samples were written yet." })]),
    );
    place();
  });
}

function showCharts() {
  const described = runs.map(({ key, letter, name, objective, equilibrium, colour }) => [key, letter, name, objective, equilibrium, colour]);
  whenChanged("charts", described, () => {
    charts = [];
    // Values of different objectives are different quantities: each objective has a panel of its own.
    const objectives = [...new Set(runs.map(({ objective }) => objective))];
    const values = objectives.map((objective) => {
      const own = runs.filter((run) => run.objective === objective);
      const equilibrium = own[0].equilibrium;
      return { key: "value", title: `Value of the objective '${objective}'`, own, reference: equilibrium === null ? undefined : { value: equilibrium, name: `at equilibrium: ${number(equilibrium)}` } };
    });
    replaceChildren(
      byId("compared-curves"),
      chartCard({ key: null, title: "The referee's lower bound on the distance (JSD)", axis: "nats", scale: "all", own: runs, reference: { value: 0, name: "equality" } }),
      ...values.map(chartCard),
      ...CURVES.map((curve) => chartCard({ ...curve, own: runs })),
    );
  });
}

function chartCard({ key, title, own, axis = "", scale = "zoom", reference }) {
  const host = element("div", {});
  const numbers = element("div", {});
  const lines = own.map(({ letter, name, colour }, place) => ({ name: `${letter} · ${name}`, colour, dash: place % 2 === 1, mark: key === null ? "dot" : "none" }));
  const chart = new LineChart(host, { title, lines, axis, scale, reference, numbersHost: numbers });
  chart.onZoom = (wanted) => zoom(wanted);
  chart.onCursor = (value) => {
    for (const other of charts) if (other.chart !== chart) other.chart.setCursor(value);
  };
  charts.push({ chart, key, own });
  return card({ title, numbers }, host);
}

async function fillCharts() {
  const wanted = ["value", ...CURVES.map(({ key }) => key)].map((key) => `key=${encodeURIComponent(key)}`).join("&");
  const ends = range ? `&low=${range[0]}&high=${range[1]}` : "";
  const found = new Map(await Promise.all(runs.map(async ({ key }) => [key, await getJson(`/api/runs/${key}/series?bins=300&${wanted}${ends}`)])));
  for (const { chart, key, own } of charts) {
    const parts = own.map((run) =>
      key === null
        ? { steps: run.evaluations.steps, values: run.evaluations.bounds }
        : { steps: found.get(run.key)?.steps ?? [], values: found.get(run.key)?.columns[key]?.mean ?? [] },
    );
    const { steps, columns } = onCommonSteps(parts);
    chart.setData(steps, columns.map((mean) => ({ mean })));
  }
}

function zoom(wanted) {
  range = wanted;
  byId("zoom-all").hidden = range === null;
  setText(byId("zoom-words"), range === null ? "Drag across a curve to look closer; arrow keys move along it." : `Steps ${number(Math.round(Math.max(0, range[0])), 12)} to ${number(Math.round(range[1]), 12)}.`);
  for (const { chart } of charts) chart.setRange(range);
  fillCharts().catch(() => {});
}

refresh();
