/** Samples over time beside real data: a slider over the steps, which stays at the newest until it is moved. */

import { byId, element, number, replaceChildren, setText, table } from "./dom.js";
import { whenChanged } from "./run-words.js";

const KEPT = 60; // pictures held ready, so that the slider runs without waiting

export class RunSamples {
  /**
   * @param {import("./run-page.js").RunSource} source
   * @param {(step: number) => void} onStep told which step is shown
   */
  constructor(source, onStep) {
    this.source = source;
    this.onStep = onStep;
    this.pictures = new Map();
    this.facts = { steps: [], nearest: null };
    this.isNewest = true;
    this.place = 0;
    this.image = element("img", { alt: "" });
    this.beside = element("img", { alt: "" });
    this.label = element("label", { for: "film-step" });
    this.slider = element("input", { id: "film-step", type: "range", min: "0", max: "0", step: "1", on: { input: () => this.moved() } });
    this.button = element("button", { type: "button", text: "Newest", on: { click: () => this.toNewest() } });
    this.caption = element("figcaption", {});
    this.nearest = element(
      "figure",
      { class: "card nearest", hidden: true },
      element("p", { class: "name", text: "Beside the nearest training samples" }),
      element("img", { class: "small", alt: "Pairs of a generated sample and the training picture nearest to it" }),
      element("figcaption", {
        text: "Pairs: on the left a generated sample, on the right the training picture nearest to it in pixels (averaged to 32 a side at most). Samples that equal their neighbours were learned by heart; whether there are more such than chance explains, the verdict says.",
      }),
    );
    this.weights = element("p", { class: "note" });
    this.rows = element("div", { class: "stack" });
    this.title = element("p", { class: "name fake", text: "Generated" });
    this.left = element(
      "figure",
      { class: "card" },
      element("p", { class: "name real", text: "Real data" }),
      this.beside,
      element("figcaption", { text: "A selection of what the generator learns from." }),
    );
    this.right = element(
      "figure",
      { class: "card" },
      this.title,
      this.image,
      this.caption,
    );
    this.control = element("div", { class: "film-control" }, element("span", { class: "name", text: "Over time" }), this.slider, this.label, this.button);
    this.note = element("p", {
      class: "note",
      text: "How to read it: look for kinds of samples that are missing among the generated ones, for the same sample many times, and for detail that is too sharp or too dull; what the eye cannot see, only the verdict can.",
    });
  }

  /** New facts: which samples there are, which weights are kept, and rows of tables. */
  show({ samples, kept_step, sample_rows, kind }) {
    whenChanged("samples", [samples, kept_step, kind], () => {
      this.facts = samples;
      this.kept = kept_step;
      this.kind = kind;
      if (!samples.steps.length && !samples.real) {
        replaceChildren(byId("samples"), element("p", { class: "card absent", text: "No samples were written yet." }));
        return;
      }
      // Pictures of points and tables show real data in the same axes: a second one would only be smaller.
      this.left.hidden = !samples.real || (kind !== "images" && samples.steps.length > 0);
      this.right.hidden = !samples.steps.length;
      setText(this.title, this.left.hidden && samples.real ? "Generated, beside real data" : "Generated");
      this.control.hidden = samples.steps.length < 2;
      if (!this.left.isConnected) {
        replaceChildren(byId("samples"), this.control, element("div", { class: "samples" }, this.left, this.right), this.weights, this.note, this.nearest, this.rows);
        this.left.parentElement.classList.toggle("alone", this.left.hidden);
      }
      this.slider.max = String(Math.max(0, samples.steps.length - 1));
      if (this.isNewest) this.place = samples.steps.length - 1;
      this.slider.value = String(this.place);
      this.draw();
    });
    whenChanged("sample-rows", sample_rows, () =>
      replaceChildren(
        this.rows,
        ...sample_rows.map(({ title, header, rows, columns_left_out }) =>
          element("section", { class: "card" }, element("h3", { text: title }), table(header, rows, { caption: title }), columns_left_out > 0 && element("p", { class: "note", text: `${columns_left_out} more column${columns_left_out === 1 ? " is" : "s are"} in the file.` })),
        ),
      ),
    );
  }

  /** Which weights are averaged, in words that change with the step. */
  showWeights(words) {
    setText(this.weights, words ?? "");
  }

  moved() {
    this.place = Number(this.slider.value);
    this.isNewest = this.place === this.facts.steps.length - 1;
    this.draw();
  }

  toNewest() {
    this.isNewest = true;
    this.place = this.facts.steps.length - 1;
    this.slider.value = String(this.place);
    this.draw();
  }

  draw() {
    const step = this.facts.steps[this.place];
    this.button.disabled = this.isNewest;
    if (step !== undefined) {
      const words = `step ${number(step, 12)}`;
      setText(this.label, words);
      this.slider.setAttribute("aria-valuetext", words);
      setText(this.caption, step === this.kept ? `${words}, the weights that are used` : words);
      this.put(this.image, "samples", step, `Generated samples at ${words}`);
      this.onStep(step);
    }
    if (this.facts.real) this.put(this.beside, "real", null, "Real samples from the data");
    this.nearest.hidden = !this.facts.nearest;
    if (this.facts.nearest) {
      const image = this.nearest.querySelector("img");
      const address = this.source.picture("nearest", null, String(this.facts.nearest));
      if (image.getAttribute("src") !== address) image.setAttribute("src", address);
    }
  }

  put(image, what, step, alternative) {
    image.alt = alternative;
    const address = this.source.picture(what, step);
    let ready = this.pictures.get(address);
    if (!ready) {
      ready = new Image();
      ready.src = address;
      this.pictures.set(address, ready);
      if (this.pictures.size > KEPT) this.pictures.delete(this.pictures.keys().next().value);
      ready.addEventListener("error", () => this.pictures.delete(address));
    }
    image.dataset.wanted = address;
    const show = () => {
      if (image.dataset.wanted !== address) return;
      image.src = ready.src;
      if (ready.naturalWidth) {
        image.width = ready.naturalWidth;
        image.height = ready.naturalHeight;
        image.classList.toggle("small", ready.naturalWidth < 520);
      }
    };
    if (ready.complete) show();
    else ready.addEventListener("load", show, { once: true });
  }
}
