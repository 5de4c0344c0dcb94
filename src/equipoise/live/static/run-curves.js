/** The curves of a run: one zoom and one cursor for all of them, and only what is new asked of the server. */

import { byId, element, number, replaceChildren, setText } from "./dom.js";
import { LineChart } from "./line-chart.js";
import { SeriesStore } from "./series-store.js";
import { card, whenChanged } from "./run-words.js";

const LEAST_WAIT = 900; // milliseconds between two requests

export class RunCurves {
  /**
   * @param {import("./run-page.js").RunSource} source
   * @param {HTMLElement} histogram a card that stands among the curves
   */
  constructor(source, histogram) {
    this.source = source;
    this.histogram = histogram;
    this.store = new SeriesStore();
    this.charts = []; // {chart, keys}
    this.range = null;
    this.wanted = "";
    this.had = "";
    this.isAsking = false;
    this.lastAsked = 0;
    byId("zoom-all").addEventListener("click", () => this.zoom(null));
    document.addEventListener("visibilitychange", () => this.ask());
  }

  /** Make the charts that the run has numbers for. */
  show(state) {
    whenChanged("charts", state.charts, () => {
      this.charts = [];
      const [first, ...others] = state.charts.map((entry) => this.card(entry));
      replaceChildren(byId("curves"), first ?? element("p", { class: "card absent", text: "Nothing was measured yet." }), first && this.histogram, ...others);
      this.store.forget();
      this.ask(true);
    });
  }

  /** New rows have been written. */
  progress({ generation, rows }) {
    this.wanted = `${generation}/${rows}`;
    this.ask();
  }

  card(entry) {
    const numbers = element("div", {});
    const hosts = entry.panels.map((panel, place) => {
      const host = element("div", {});
      const chart = new LineChart(host, {
        title: panel.axis ? `${entry.title}, ${panel.axis}` : entry.title,
        lines: panel.lines,
        axis: panel.axis,
        scale: panel.scale,
        reference: panel.reference,
        height: entry.panels.length === 1 ? 220 : 150,
        numbersHost: numbers,
        numbersName: entry.panels.length > 1 ? panel.axis : "",
      });
      chart.onZoom = (range) => this.zoom(range);
      chart.onCursor = (value) => this.cursor(value, chart);
      this.charts.push({ chart, keys: panel.lines.map(({ key }) => key), place });
      return host;
    });
    return card({ ...entry, numbers }, ...hosts);
  }

  zoom(range) {
    this.range = range;
    for (const { chart } of this.charts) chart.setRange(range);
    byId("zoom-all").hidden = range === null;
    this.store.forget();
    this.ask(true);
  }

  cursor(value, from) {
    for (const { chart } of this.charts) if (chart !== from) chart.setCursor(value);
  }

  words() {
    const joined = this.store.perBin > 1 ? ` Each point is the mean of ${number(this.store.perBin)} measured steps, the band their range.` : "";
    setText(
      byId("zoom-words"),
      this.range === null
        ? `Drag across a curve to look closer; arrow keys move along it, + and − zoom.${joined}`
        : `Steps ${number(Math.round(Math.max(0, this.range[0])), 12)} to ${number(Math.round(this.range[1]), 12)}.${joined || " Every measured step is shown."}`,
    );
  }

  /** Ask for what is new, soon, and never twice at once. */
  ask(isNow = false) {
    if (isNow) this.had = "";
    if (this.isAsking || document.hidden || !this.charts.length || this.had === this.wanted) return;
    const wait = isNow ? 0 : Math.max(0, this.lastAsked + LEAST_WAIT - performance.now());
    this.isAsking = true;
    setTimeout(() => this.fetch(), wait);
  }

  async fetch() {
    const wanted = this.wanted;
    const range = this.range;
    this.lastAsked = performance.now();
    try {
      const found = await this.source.series(this.store.query(range));
      if (range === this.range) {
        this.store.take(found);
        this.had = wanted;
        for (const { chart, keys } of this.charts) chart.setData(this.store.steps, keys.map((key) => this.store.values(key)));
        this.words();
      }
    } catch {
      this.had = ""; // the stream of events says when the server is back; then it is asked again
    }
    this.isAsking = false;
    if (range !== this.range) this.ask(true);
    else if (this.had !== "") this.ask();
    else setTimeout(() => this.ask(), 1000);
  }
}
