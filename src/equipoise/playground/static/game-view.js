/** What is seen of a game: the plane with its colour bar, both classic losses side by side, and V over the steps. */

import { element, number, setText } from "/static/dom.js";
import { LineChart } from "/static/line-chart.js";
import { arrowsOf, decoded } from "./decode.js";
import { coloursOf, longestOf, Plane, scaleColour } from "./plane.js";

const LAYERS = [
  ["surface", "D's surface"],
  ["best", "best D, dashed"],
  ["grid", "G's warped grid"],
  ["arrows", "arrows of this loss"],
  ["trail", "trail of the mean"],
];
const MOST_STEPS = 900; // points of the chart; older ones are thinned
const CHART_EVERY = 200; // milliseconds
const DESCRIBE_EVERY = 2500;
const JSD_TOP = Math.log(4);

export class GameView {
  /**
   * @param {HTMLElement} host
   * @param {Object} options
   * @param {string[]} options.layers shown at first
   * @param {(layers: string[]) => void} [options.onLayers]
   * @param {boolean} [options.isRecorded] whether only what was recorded can be drawn
   */
  constructor(host, { layers, onLayers = () => {}, isRecorded = false }) {
    this.isRecorded = isRecorded;
    this.layers = new Set(["points", ...layers]);
    this.onLayers = onLayers;
    this.host = host;
    this.frame = null;
    this.followed = null;
    this.drawn = null;
    this.forget();
    this.build();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    new ResizeObserver(() => this.redraw()).observe(this.canvas);
  }

  /** Begin again: an empty chart and no trail. */
  forget() {
    this.history = [];
    this.trail = [];
    this.best = null;
    this.bestValue = null;
    this.coarseValue = undefined;
    this.proved = [];
    this.chartDue = 0;
    this.describeDue = 0;
    this.barDue = 0;
  }

  build() {
    this.canvas = element("canvas", { class: "plane", role: "img", "aria-label": "The plane of the game", tabindex: "0" });
    this.plane = new Plane(this.canvas);
    this.barCanvas = element("canvas", { class: "bar-scale", width: "256", height: "1", "aria-hidden": "true" });
    this.barLow = element("span", {});
    this.barHigh = element("span", {});
    this.barTitle = element("span", { class: "muted" });
    this.toggles = LAYERS.map(([name, words]) => {
      const box = element("input", { type: "checkbox", dataset: { layer: name }, checked: this.layers.has(name) });
      box.addEventListener("change", () => this.toggle(name, box.checked));
      return element("label", { class: "check" }, box, element("span", { text: words }));
    });
    this.lossesToggle = element("input", { type: "checkbox", checked: this.layers.has("both_losses"), dataset: { layer: "both_losses" } });
    this.lossesToggle.addEventListener("change", () => this.toggle("both_losses", this.lossesToggle.checked));
    this.toggles.push(element("label", { class: "check" }, this.lossesToggle, element("span", { text: "both classic losses" })));
    this.noBest = element("p", { class: "note", hidden: true, text: "No best D: the density of these data is not known." });
    const key = element(
      "ul",
      { class: "legend plane-key" },
      element("li", { class: "c-real" }, element("span", { class: "disc" }), "real x"),
      element("li", { class: "c-fake" }, element("span", { class: "diamond" }), "generated y = G(z)"),
    );
    this.figure = element(
      "figure",
      { class: "card plane-card" },
      this.canvas,
      key,
      element("div", { class: "bar-row" }, this.barLow, this.barCanvas, this.barHigh),
      element("p", { class: "bar-title" }, this.barTitle),
      !this.isRecorded && element("fieldset", { class: "layers" }, element("legend", { text: "Draw" }), ...this.toggles),
      this.noBest,
    );
    this.losses = this.buildLosses();
    this.chartHost = element("div", {});
    this.chartCard = element(
      "section",
      { class: "card chart-card" },
      element("h2", { class: "small", text: "The value V(D, G)" }),
      element("p", { class: "absent begin", text: "The curve begins with the first step." }),
      this.chartHost,
      (this.sentence = element("p", { class: "note reading-line" })),
    );
    this.chart = null;
    this.host.append(this.figure, element("div", { class: "beside" }, this.chartCard, this.losses));
    this.losses.hidden = !this.layers.has("both_losses");
  }

  buildLosses() {
    this.lossPlanes = ["saturating", "nonsaturating"].map((loss) => {
      const canvas = element("canvas", { class: "plane", role: "img" });
      const words = loss === "saturating" ? "log(1 − D), saturating" : "−log D, non-saturating";
      const length = element("output", {});
      return { loss, canvas, plane: new Plane(canvas), length, words,
        node: element("figure", {}, element("figcaption", { text: words }), canvas, element("p", { class: "note" }, "mean arrow ", length)) };
    });
    this.ratio = element("p", { class: "reading", role: "status", "aria-live": "off" });
    return element(
      "section",
      { class: "card losses" },
      element("h2", { class: "small", text: "What each loss tells the generated points" }),
      element("p", { class: "note", text: "The same points, the same discriminator, one scale of arrows. Both losses point the same way: along the slope of the logit l, by σ(l) or by σ(−l)." }),
      element("div", { class: "two" }, ...this.lossPlanes.map(({ node }) => node)),
      this.ratio,
    );
  }

  toggle(name, isShown) {
    if (isShown) this.layers.add(name);
    else this.layers.delete(name);
    this.losses.hidden = !this.layers.has("both_losses");
    this.onLayers([...this.layers].filter((layer) => layer !== "points"));
    this.redraw();
  }

  /** Show a set of layers, as a situation asks. */
  setLayers(layers) {
    this.layers = new Set(["points", ...layers]);
    for (const box of this.figure.querySelectorAll("input[data-layer]")) box.checked = this.layers.has(box.dataset.layer);
    this.losses.hidden = !this.layers.has("both_losses");
  }

  /** Take a frame into the curves without drawing it. */
  pass(raw) {
    this.takeBest(raw);
    this.remember(raw);
  }

  /** V of the best discriminator, which only some frames have. */
  takeBest({ best_value: value, coarse_value: coarse }) {
    if (value === undefined) return;
    this.bestValue = value;
    this.coarseValue = coarse;
  }

  /** Show a frame as it came. */
  show(raw) {
    const frame = decoded(raw);
    if (!this.isRecorded && this.frame && frame.step < this.frame.step) this.forget();
    if (frame.best) this.best = frame.best;
    else if (frame.surface) frame.best = this.best;
    this.takeBest(frame);
    this.frame = frame;
    this.remember(frame);
    this.redraw();
    if (frame.playing === false || performance.now() > this.chartDue) this.drawChart();
    if (frame.playing === false || performance.now() > this.describeDue) this.describe();
  }

  remember(frame) {
    const last = this.history[this.history.length - 1];
    if (frame.mean && (!last || last.step !== frame.step)) {
      this.trail.push(frame.mean);
      if (this.trail.length > 400) this.trail.shift();
    }
    if (frame.proved && this.proved[this.proved.length - 1]?.step !== frame.proved.step) this.proved.push(frame.proved);
    if (frame.step === 0) return;
    const row = { step: frame.step, value: frame.value ?? null, error: frame.error ?? null, quadrature: frame.quadrature ?? null,
      best: frame.surface && this.layers.has("best") ? this.bestValue : null, loss: frame.loss ?? null, equilibrium: frame.equilibrium ?? null };
    if (last && last.step === frame.step) this.history[this.history.length - 1] = row;
    else this.history.push(row);
    if (this.history.length > MOST_STEPS) this.history = this.history.filter((_, place) => place % 2 === 0 || place > MOST_STEPS - 100);
  }

  redraw() {
    if (this.isDue || !this.frame) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.drawNow();
    });
  }

  drawNow() {
    const { frame } = this;
    const isGame = Boolean(frame.surface);
    this.plane.draw(frame, { layers: this.layers, loss: "own", trail: this.trail, followed: this.followed, drawn: this.drawn, brush: this.brush });
    this.drawBar(isGame, frame.playing === false);
    this.noBest.hidden = !(this.layers.has("best") && isGame && !this.best);
    if (!this.losses.hidden) this.drawLosses(isGame);
  }

  drawBar(isGame, isLast) {
    this.figure.classList.toggle("no-surface", !isGame || !this.layers.has("surface"));
    if (!isGame) return;
    const { frame } = this;
    const colours = coloursOf(this.canvas);
    const key = `${frame.probability}${colours.card}`;
    if (this.barKey !== key) {
      this.barKey = key;
      const context = this.barCanvas.getContext("2d");
      const picture = new ImageData(256, 1);
      for (let i = 0; i < 256; i += 1) picture.data.set([...scaleColour(i / 255, frame.probability, colours), 255], 4 * i);
      context.putImageData(picture, 0, 0);
    }
    if (!isLast && performance.now() < this.barDue) return; // words that change lay the page out anew
    this.barDue = performance.now() + CHART_EVERY;
    const ends = [Math.min(...frame.surface), Math.max(...frame.surface)].map((value) => number(value / 255, 2));
    const title = frame.probability
      ? `D(x) = ${frame.offset ? "σ(l − c), c fitted on other draws" : "σ(l)"}: probability of being real, here from ${ends[0]} to ${ends[1]}; lines at 1/4, 1/2, 3/4`
      : "D's output l(x); it is no probability for this objective";
    setText(this.barTitle, title);
    setText(this.barLow, frame.probability ? "0 generated" : number(frame.scale[0], 2));
    setText(this.barHigh, frame.probability ? "1 real" : number(frame.scale[1], 2));
  }

  drawLosses(isGame) {
    if (!isGame) {
      setText(this.ratio, "Without a discriminator there is no slope to follow.");
      return;
    }
    const both = this.lossPlanes.map(({ loss }) => arrowsOf(this.frame, loss));
    const longest = Math.max(...both.map(({ arrows }) => longestOf(arrows)));
    const layers = new Set(["points", "arrows", ...(this.layers.has("surface") ? ["surface"] : [])]);
    for (const [place, { loss, plane, canvas, length, words }] of this.lossPlanes.entries()) {
      plane.draw(this.frame, { layers, loss, longest });
      setText(length, number(both[place].mean, 3));
      canvas.setAttribute("aria-label", `Arrows of ${words}: mean length ${number(both[place].mean, 3)}`);
    }
    const share = both[0].mean / both[1].mean;
    setText(this.ratio, sentenceOf(share));
    this.ratio.dataset.share = String(share);
  }

  /** A chart for games, another one without a discriminator: they have other lines. */
  chartFor(isGame) {
    const hasBest = this.layers.has("best") && this.bestValue !== null;
    const kind = isGame ? `game ${this.frame.equilibrium} ${hasBest}` : "error";
    if (this.chart && this.chartKind === kind) return this.chart;
    this.chartKind = kind;
    this.chartHost.replaceChildren();
    const lines = isGame
      ? [
          { name: "V of the batch ± standard error", colour: "discriminator" },
          { name: "V by quadrature", colour: "ink" },
          ...(hasBest ? [{ name: "V of the best D (cells)", colour: "line-3", dash: true }] : []),
          { name: "−log 4 + 2 JSD proved by the referee", colour: "line-2", isPoints: true, mark: "dot" },
        ]
      : [{ name: "mean squared error of the batch", colour: "generator" }];
    const reference = isGame ? { value: this.frame.equilibrium, name: equilibriumWords(this.frame.equilibrium) } : undefined;
    setText(this.chartCard.querySelector("h2"), isGame ? "The value V(D, G)" : "Squared error");
    this.chart = new LineChart(this.chartHost, { title: isGame ? "V over the steps" : "Squared error over the steps", lines, reference, height: 230, scale: "zoom" });
    return this.chart;
  }

  drawChart() {
    this.chartDue = performance.now() + CHART_EVERY;
    if (!this.frame) return;
    const isGame = Boolean(this.frame.surface);
    this.chartCard.classList.toggle("empty", !this.history.length);
    setText(this.sentence, this.words());
    const chart = this.chartFor(isGame);
    const rows = this.history;
    const x = rows.map(({ step }) => step);
    if (!isGame) {
      chart.setData(x, [{ mean: rows.map(({ loss }) => loss) }]);
      return;
    }
    const proved = rows.map(() => null);
    const isLogistic = this.frame.equilibrium !== null && Math.abs(this.frame.equilibrium + JSD_TOP) < 1e-3;
    if (isLogistic) {
      for (const { step, jsd } of this.proved) {
        const place = rows.findLastIndex((row) => row.step <= step);
        if (place >= 0) proved[place] = 2 * jsd - JSD_TOP;
      }
    }
    const edge = (sign) => rows.map(({ value, error }) => (value === null || error === null ? null : value + sign * error));
    chart.setData(x, [
      { mean: rows.map(({ value }) => value), low: edge(-1), high: edge(1) },
      { mean: rows.map(({ quadrature }) => quadrature) },
      ...(this.chart.options.lines.length > 3 ? [{ mean: rows.map(({ best }) => best) }] : []),
      { mean: proved },
    ]);
  }

  /** The numbers of the newest frame as a sentence: what a screen reader is told, too. */
  words() {
    const { frame } = this;
    if (!frame.surface) return `Squared error ${number(frame.loss, 3)}.`;
    const parts = [];
    if (frame.value !== undefined && frame.value !== null) {
      parts.push(`V of the batch ${number(frame.value, 3)}${frame.error === null || frame.error === undefined ? " (one sample of each: no standard error)" : ` ± ${number(frame.error, 2)}`}`);
    }
    if (frame.quadrature !== null) parts.push(`by quadrature ${number(frame.quadrature, 3)}`);
    if (this.layers.has("best") && this.bestValue !== null) {
      // Cells hide what is narrower than they are: the gain of the finer ones says how much more there may be.
      const gain = this.coarseValue === undefined ? "" : ` at least (${number(this.coarseValue, 3)} by cells twice as wide: what is narrower than 1/16 is hidden)`;
      parts.push(`of the best D ${number(this.bestValue, 3)}${gain}`);
    }
    const last = this.proved[this.proved.length - 1];
    let text = `${parts.join("; ")}.`;
    if (last) {
      text += last.jsd > 0
        ? ` The referee proves JSD ≥ ${number(last.jsd, 3)} nats (step ${last.step}, 95 %; log 2 = 0.693 is nothing in common).`
        : ` The referee proves no difference at step ${last.step}; that is no proof that there is none.`;
    }
    return text;
  }

  describe() {
    this.describeDue = performance.now() + DESCRIBE_EVERY;
    const { frame } = this;
    const of = (points) => {
      let [x, y] = [0, 0];
      for (let i = 0; i < points.length; i += 2) [x, y] = [x + points[i], y + points[i + 1]];
      const count = points.length / 2;
      const [meanX, meanY] = [x / count, y / count];
      let spread = 0;
      for (let i = 0; i < points.length; i += 2) spread += (points[i] - meanX) ** 2 + (points[i + 1] - meanY) ** 2;
      return `mean (${number(meanX, 2)}, ${number(meanY, 2)}), spread ${number(Math.sqrt(spread / count), 2)}`;
    };
    this.canvas.setAttribute("aria-label", `The plane at step ${frame.step}. Real points: ${of(frame.real)}. Generated points: ${of(frame.fake)}. ${this.words()}`);
  }
}

function equilibriumWords(value) {
  const known = [[-Math.log(4), "−log 4"], [-Math.log(2), "−log 2"]];
  const found = known.find(([each]) => Math.abs(each - value) < 1e-3);
  return `${found ? found[1] : number(value, 3)}: V where p = q`;
}

/** What the ratio of both mean arrows says. */
export function sentenceOf(share) {
  if (!Number.isFinite(share)) return "Both arrows are nothing: D is flat here.";
  if (share < 0.01) return `Saturated: the arrows of log(1 − D) are ${number(1 / share, 2)} times shorter than those of −log D.`;
  if (share < 0.5) return `The arrows of log(1 − D) are ${number(1 / share, 2)} times shorter: D is rather sure of these points.`;
  if (share <= 2) return "Both losses tell the points about the same: D is unsure of them.";
  return `The arrows of −log D are ${number(share, 2)} times shorter: D takes these points for real.`;
}
