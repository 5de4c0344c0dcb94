/** The evidence: the referee's bound at each evaluation, the duality gap, histograms, tables, telling images. */

import { byId, element, facts, replaceChildren, table } from "./dom.js";
import { drawHistogram } from "./histogram.js";
import { LineChart } from "./line-chart.js";
import { card, note, whenChanged } from "./run-words.js";

export class RunEvidence {
  /** @param {import("./run-page.js").RunSource} source */
  constructor(source) {
    this.source = source;
    this.histograms = [];
    this.histogramCard = element("section", { class: "card", hidden: true });
    this.step = null;
    this.parts = new Map();
  }

  /** Draw what has changed. */
  show(state) {
    const { referee, gap, histograms, evidence_tables, evaluation_facts, samples, method, verdict_word } = state;
    whenChanged("referee", referee, () => this.parts.set("referee", this.refereeCard(referee)));
    whenChanged("gap", gap, () => this.parts.set("gap", gap && this.gapCard(gap)));
    whenChanged("histograms", histograms, () => {
      const wasLast = this.step === null || this.step === this.histograms[this.histograms.length - 1];
      this.histograms = histograms;
      this.histogramCard.hidden = !histograms.length;
      if (histograms.length) this.showHistogram(wasLast ? histograms[histograms.length - 1] : this.step);
    });
    whenChanged("evidence-cards", [referee, gap], () => replaceChildren(byId("evidence"), ...[...this.parts.values()].filter(Boolean)));
    whenChanged("evidence-more", [evidence_tables, evaluation_facts, samples.most_discriminative, method, verdict_word], () => {
      replaceChildren(
        byId("evidence-more"),
        note(method),
        samples.most_discriminative && this.tellingImages(verdict_word),
        evaluation_facts.length > 0 && element("section", { class: "card" }, facts(evaluation_facts, "Interim evaluations, during training")),
        evidence_tables.length > 0 &&
          element(
            "div",
            { class: "grid" },
            ...evidence_tables.map(({ title, reading, header, rows }) =>
              element("section", { class: "card" }, element("h3", { text: title }), element("p", { class: "reading", prose: reading }), table(header, rows, { caption: title })),
            ),
          ),
      );
    });
  }

  /** The histogram that was measured last at or before a step. */
  async showHistogram(step) {
    if (!this.histograms.length || step === null) return;
    const wanted = [...this.histograms].reverse().find((at) => at <= step) ?? this.histograms[0];
    if (wanted === this.step) return;
    this.step = wanted;
    try {
      const found = await this.source.histogram(wanted);
      if (wanted !== this.step) return;
      const host = element("div", {});
      replaceChildren(this.histogramCard, ...card(found, host).childNodes);
      drawHistogram(host, found);
    } catch {
      this.step = null;
    }
  }

  refereeCard(referee) {
    if (!referee.points.length) return card({ ...referee, notes: referee.notes.slice(0, -1) }, element("p", { class: "absent", text: referee.notes[referee.notes.length - 1] }));
    const host = element("div", {});
    const numbers = element("div", {});
    const chart = new LineChart(host, {
      numbersHost: numbers,
      title: referee.title,
      axis: "nats",
      scale: "all",
      whiskers: true,
      lines: [
        { name: "lower bound", colour: "ink", mark: "dot" },
        { name: "its estimate", colour: "muted", mark: "tick", isPoints: true },
        { name: "final verdict", colour: "real", mark: "dot", isPoints: true },
        { name: "descriptive", colour: "fake", mark: "hollow", isPoints: true },
        { name: "asked for", colour: "muted", mark: "hollow", isPoints: true },
      ].filter(({ name }) => referee.points.some((point) => kindName(point.kind) === name) || ["lower bound", "its estimate"].includes(name)),
      reference: { value: 0, name: "equality" },
    });
    const points = [...referee.points].sort((a, b) => a.step - b.step);
    const of = (kind) => ({ mean: points.map((point) => (point.kind === kind ? point.bound : null)) });
    const interim = points.map((point) => point.kind === "interim");
    chart.setData(
      points.map(({ step }) => step),
      chart.options.lines.map(({ name }) => {
        if (name === "its estimate") return { mean: points.map(({ estimate }) => estimate) };
        if (name === "final verdict") return { ...of("final"), ...reach(points, "final") };
        if (name === "descriptive") return { ...of("descriptive"), ...reach(points, "descriptive") };
        if (name === "asked for") return { ...of("asked"), ...reach(points, "asked") };
        return { mean: points.map(({ bound }, k) => (interim[k] ? bound : null)), ...reach(points, "interim") };
      }),
    );
    const rows = points.slice(-8).map(({ step, conclusion }) => [step.toLocaleString("en-GB"), conclusion]);
    numbers.append(element("details", {}, element("summary", { text: "The conclusions" }), table(["step", "conclusion"], rows, { caption: "" })));
    return card({ ...referee, numbers }, host);
  }

  gapCard(gap) {
    const host = element("div", {});
    const numbers = element("div", {});
    const chart = new LineChart(host, {
      numbersHost: numbers,
      title: gap.title,
      axis: "the objective's own units",
      scale: "all",
      lines: [
        { name: "gap", colour: "ink", mark: "dot" },
        { name: "discriminator's gain", colour: "discriminator", dash: true },
        { name: "generator's gain", colour: "generator", dash: true },
      ],
      reference: { value: 0, name: "equilibrium" },
    });
    const column = (name) => gap.points.map((point) => point[name]);
    chart.setData(column("step"), [{ mean: column("gap"), low: column("low"), high: column("high") }, { mean: column("discriminator") }, { mean: column("generator") }]);
    return card({ ...gap, numbers }, host);
  }

  tellingImages(words) {
    return element(
      "figure",
      { class: "card" },
      element("p", { class: "name", text: "The most discriminative images" }),
      element("img", {
        src: this.source.picture("most_discriminative", null, words),
        alt: "Above, the held-out real images that the referee was surest are real; below, the generated ones it was surest are generated",
      }),
      element("figcaption", { text: "Above: held-out real images that the referee's classifier was surest of; below: generated ones." }),
    );
  }
}

const kindName = (kind) => ({ interim: "lower bound", final: "final verdict", descriptive: "descriptive", asked: "asked for" })[kind];

function reach(points, kind) {
  return {
    low: points.map((point) => (point.kind === kind && point.top !== null ? point.bound : null)),
    high: points.map((point) => (point.kind === kind ? point.top : null)),
  };
}
