/** The list of runs: looked at anew every two seconds while the page is seen. */

import { byId, element, number, replaceChildren, setText } from "./dom.js";
import { showConnection } from "./events.js";
import { getJson } from "./request.js";

const EVERY = 2000;
const chosen = new Set();
let shown = "";

async function refresh() {
  if (!document.hidden) {
    try {
      const { runs } = await getJson("/api/runs");
      showConnection("open");
      draw(runs);
    } catch (error) {
      showConnection(error.status === 401 ? "refused" : "waiting");
      if (error.status > 0 && error.status !== 401) replaceChildren(byId("runs"), element("p", { class: "card absent", text: error.message }));
    }
  }
  setTimeout(refresh, EVERY);
}

function draw(runs) {
  const text = JSON.stringify(runs);
  if (text === shown) return;
  shown = text;
  const focused = document.activeElement?.dataset?.key;
  if (!runs.length) {
    replaceChildren(byId("runs"), element("p", { class: "card absent", text: "No run yet. 'equipoise train DATA' makes one; it appears here by itself." }));
    return;
  }
  const known = new Set(runs.map((run) => run.key));
  for (const key of chosen) if (!known.has(key)) chosen.delete(key);
  const button = element("button", { text: "Compare", on: { click: compare } });
  const words = element("span", { class: "muted" });
  function choose(key, isChosen) {
    if (isChosen) chosen.add(key);
    else chosen.delete(key);
    button.disabled = chosen.size < 2;
    setText(words, chosen.size < 2 ? "Choose two runs or more to compare them." : `${chosen.size} chosen`);
  }
  const list = element("ul", { class: "run-list" }, ...runs.map((run) => entry(run, choose)));
  replaceChildren(byId("runs"), runs.length > 1 && element("div", { class: "row toolbar" }, button, words), list);
  choose("", false);
  if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function entry(run, choose) {
  const step = run.steps ? `step ${number(run.step, 12)} of ${number(run.steps, 12)}` : `step ${number(run.step, 12)}`;
  const about = [run.data, run.preset, step, run.trend && `trend: ${run.trend}`, run.verdict].filter(Boolean).join(" · ");
  const box = element("input", {
    type: "checkbox",
    "aria-label": `compare ${run.name}`,
    dataset: { key: run.key },
    on: { change: () => choose(run.key, box.checked) },
  });
  box.checked = chosen.has(run.key);
  const bar = element("span", {});
  bar.style.width = `${run.steps ? Math.min(100, (100 * run.step) / run.steps) : 0}%`;
  return element(
    "li",
    { class: "card" },
    box,
    element("a", { class: "title", href: `/runs/${run.key}`, text: run.name }),
    element("span", { class: "state", dataset: { state: run.state }, text: run.condition }),
    element("span", { class: "about", text: about }),
    run.state === "training" && element("span", { class: "progress", "aria-hidden": "true" }, bar),
    run.trouble && element("span", { class: "trouble", text: run.trouble }),
  );
}

function compare() {
  location.assign(`/compare?${[...chosen].map((key) => `run=${encodeURIComponent(key)}`).join("&")}`);
}

refresh();
