/** One iteration, walked: its two levels of loop, and the boxes of one update with the numbers of this very batch. */

import { element, replaceChildren, setText } from "/static/dom.js";

/** Places of the boxes: forward from left to right on top, the gradient back from right to left below. */
const KINDS = { latents: "generator", fake: "fake", real: "real", logits: "discriminator", loss: "ink", told: "ink", gradient: "ink", update: "ink" };
const ORDERS = {
  discriminator: ["latents", "fake", "real", "logits", "loss", "gradient", "update"],
  generator: ["latents", "fake", "real", "logits", "loss", "told", "gradient", "update"],
};

export class WalkView {
  /**
   * @param {HTMLElement} host
   * @param {(followed: {real?: number[], fake?: number[], told?: number[]}|null) => void} onFollow
   */
  constructor(host, onFollow = () => {}) {
    this.onFollow = onFollow;
    this.walk = null;
    this.stage = 0;
    this.box = -1;
    this.sample = 0;
    this.timer = 0;
    this.heading = element("p", { class: "walk-heading" });
    this.loops = element("ol", { class: "loops", "aria-label": "Updates of this step, in their order" });
    this.back = button("← Back", () => this.move(-1));
    this.next = button("Next box →", () => this.move(1), "primary");
    this.picker = element("select", { "aria-label": "Follow one sample" });
    this.picker.addEventListener("change", () => this.follow(Number(this.picker.value)));
    this.chain = element("p", { class: "chain" });
    this.flow = element("ol", { class: "flow" });
    this.spoken = element("p", { class: "visually-hidden", role: "status" });
    host.append(
      this.heading,
      this.loops,
      element("div", { class: "row walk-controls" }, this.back, this.next, element("label", { class: "inline" }, "follow ", this.picker)),
      this.chain,
      this.flow,
      this.spoken,
    );
    this.flow.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") this.move(1);
      if (event.key === "ArrowLeft") this.move(-1);
    });
  }

  /**
   * Show a step.
   * @param {Object} walk as the server makes it
   * @param {number} [seconds] walk through it by itself in so long
   */
  show(walk, seconds = 0) {
    const isFirst = this.walk === null;
    this.walk = walk;
    this.stage = Math.min(this.stage, walk.stages.length - 1);
    clearInterval(this.timer);
    if (seconds) {
      this.stage = 0;
      this.box = 0;
      const boxes = walk.stages.reduce((sum, stage) => sum + order(stage).length, 0);
      this.timer = setInterval(() => this.move(1, true), Math.max(60, (1000 * seconds) / (boxes + 1)));
    } else if (isFirst) {
      this.box = -1;
    }
    this.draw();
  }

  /** Go to the next or the previous box; past the last one comes the next update. */
  move(by, isTimed = false) {
    if (!this.walk) return;
    if (!isTimed) clearInterval(this.timer);
    const count = order(this.walk.stages[this.stage]).length;
    let box = this.box + by;
    if (box >= count) {
      if (this.stage + 1 < this.walk.stages.length) {
        this.stage += 1;
        box = 0;
      } else {
        box = isTimed ? count - 1 : 0;
        if (isTimed) clearInterval(this.timer);
        else this.stage = 0;
      }
    } else if (box < 0) {
      this.stage = (this.stage + this.walk.stages.length - 1) % this.walk.stages.length;
      box = order(this.walk.stages[this.stage]).length - 1;
    }
    this.box = box;
    this.draw();
    if (!isTimed) this.speak();
  }

  follow(sample) {
    this.sample = sample;
    this.draw();
  }

  draw() {
    const { walk } = this;
    const stage = walk.stages[this.stage];
    const updates = walk.stages.length;
    const critics = walk.stages.filter(({ player }) => player === "discriminator").length;
    const isTogether = !walk.rule.startsWith("alternating") && critics > 0;
    const loops = isTogether ? "both gradients at the same weights, then both updates" : critics > 1 ? `${critics} updates of D, then one of G` : updates > 1 ? "one update of D, one of G" : "one update of G";
    setText(this.heading, `Step ${walk.step}${walk.is_made ? ", just made" : ", the next one"}: ${loops}. Batch of ${walk.batch}.`);
    replaceChildren(this.loops, ...walk.stages.map((each, place) => this.chip(each, place)));
    this.drawFollowed(stage);
    this.drawFlow(stage);
  }

  chip(stage, place) {
    const isD = stage.player === "discriminator";
    const words = isD ? `D update ${stage.place} of ${stage.of}` : `G update${stage.of > 1 ? ` ${stage.place} of ${stage.of}` : ""}`;
    const chip = button(words, () => {
      clearInterval(this.timer);
      this.stage = place;
      this.box = -1;
      this.draw();
    });
    chip.className = `chip c-${stage.player}`;
    chip.setAttribute("aria-pressed", String(place === this.stage));
    return element("li", { class: isD ? "inner" : "outer" }, chip);
  }

  drawFollowed(stage) {
    const { samples } = stage;
    const count = samples.fake.length;
    this.sample = Math.min(this.sample, count - 1);
    if (this.picker.options.length !== count) {
      replaceChildren(this.picker, ...samples.fake.map((_, place) => element("option", { value: place, text: `sample ${place + 1}` })));
    }
    this.picker.value = String(this.sample);
    const at = this.sample;
    const parts = [`z = ${point(samples.latents[at])}`, `y = G(z) = ${point(samples.fake[at])}`];
    if (samples.real[at]) parts.push(`x = ${point(samples.real[at])}`);
    if (samples.chains[at]) parts.push(...samples.chains[at].split("; "));
    if (samples.told?.[at]) parts.push(`∂L/∂y = ${point(samples.told[at])}`);
    replaceChildren(this.chain, ...parts.flatMap((part, place) => [place > 0 && element("span", { class: "link", "aria-hidden": "true", text: " → " }), element("span", { class: "chain-part", text: part })]));
    this.onFollow({ real: samples.real[at], fake: samples.fake[at], told: samples.told?.[at] });
  }

  drawFlow(stage) {
    const ordered = order(stage);
    const has = (wanted) => stage.boxes.some(({ name }) => name === wanted);
    this.flow.className = `flow ${stage.player}${has("real") ? "" : " without-real"}${has("logits") ? "" : " alone"}`;
    replaceChildren(
      this.flow,
      ...ordered.map((box, place) =>
        element(
          "li",
          { class: `box at-${box.name} c-${KINDS[box.name]}${place === this.box ? " active" : ""}${this.box >= 0 && place > this.box ? " later" : ""}`, "aria-current": place === this.box ? "step" : null },
          element("p", { class: "box-title" }, element("span", { class: "box-number", text: String(place + 1) }), box.title, box.shape.length > 0 && element("span", { class: "shape", text: box.shape.join(" × ") })),
          element("p", { class: "formula-line", text: box.formula }),
          element("p", { class: "filled-line", text: box.filled }),
          element("p", { class: "note", text: box.note }),
        ),
      ),
    );
  }

  speak() {
    const box = order(this.walk.stages[this.stage])[this.box];
    if (box) setText(this.spoken, `${box.title}. ${box.filled}. ${box.note}`);
  }
}

/** The boxes of an update in the order in which they happen. */
function order(stage) {
  const rank = (box) => ORDERS[stage.player].indexOf(box.name);
  return [...stage.boxes].sort((a, b) => rank(a) - rank(b));
}

function button(words, onClick, className = "") {
  const made = element("button", { type: "button", class: className, text: words });
  made.addEventListener("click", onClick);
  return made;
}

function point(coordinates) {
  return `(${coordinates.map((value) => Number(value.toPrecision(3)).toString().replace("-", "−")).join(", ")})`;
}
