/** Buttons for a run that was started with --view: evaluate now, draw samples now, stop with a checkpoint. */

import { byId, element, replaceChildren, setText } from "./dom.js";
import { whenChanged } from "./run-words.js";

export class RunControl {
  /** @param {import("./run-page.js").RunSource} source */
  constructor(source) {
    this.source = source;
    this.waiting = new Map(); // ids of requests that are not answered, with what they ask
    this.words = element("p", { class: "note", role: "status" });
    this.answers = element("div", { class: "answers" });
  }

  /** What the run can be asked, and what it has answered. */
  show(control) {
    const { is_listening, classes, can_evaluate, can_truncate, answers } = control;
    const card = byId("control");
    card.hidden = !is_listening && !answers.length;
    whenChanged("control", [is_listening, classes, can_evaluate, can_truncate], () => {
      replaceChildren(card, element("h3", { text: is_listening ? "Ask the run" : "What the run was asked" }), is_listening && this.buttons(control), this.words, this.answers);
    });
    for (const { id } of answers) this.waiting.delete(id);
    this.say();
    whenChanged("answers", answers, () => this.showAnswers(answers));
  }

  buttons({ classes, can_evaluate, can_truncate }) {
    const label = element("select", { id: "draw-class" }, element("option", { value: "", text: "all classes" }), ...classes.map((name, place) => element("option", { value: String(place), text: name })));
    const seed = element("input", { id: "draw-seed", type: "number", min: "0", step: "1", value: "1" });
    const factor = element("input", { id: "draw-truncation", type: "number", min: "0", max: "1", step: "0.05", value: "1" });
    const stop = element("button", { type: "button", text: "Stop with a checkpoint", on: { click: () => this.confirmStop(stop) } });
    const draw = () => {
      this.ask({ what: "draw", label: label.value === "" ? null : Number(label.value), seed: Number(seed.value), truncation: Number(factor.value) }, "samples");
      seed.value = String(Number(seed.value) + 1); // the next click draws others
    };
    return element(
      "div",
      { class: "row asks" },
      element(
        "div",
        { class: "row ask-draw" },
        element("button", { type: "button", class: "primary", text: "Draw samples now", on: { click: draw } }),
        classes.length > 0 && element("label", {}, "of ", label),
        element("label", {}, "seed ", seed),
        can_truncate && element("label", {}, "truncation ", factor),
      ),
      can_evaluate && element("button", { type: "button", text: "Ask the referee now", on: { click: () => this.ask({ what: "evaluate" }, "an evaluation") } }),
      stop,
    );
  }

  /** The first click asks, the second one within five seconds stops. */
  confirmStop(button) {
    if (button.dataset.sure) {
      delete button.dataset.sure;
      button.textContent = "Stop with a checkpoint";
      this.ask({ what: "stop" }, "the end");
      return;
    }
    button.dataset.sure = "yes";
    button.textContent = "Really stop? It can be resumed.";
    setTimeout(() => {
      delete button.dataset.sure;
      button.textContent = "Stop with a checkpoint";
    }, 5000);
  }

  async ask(request, words) {
    try {
      const { id } = await this.source.ask(request);
      this.waiting.set(id, words);
      this.say();
    } catch (error) {
      setText(this.words, error.message);
    }
  }

  say() {
    const asked = [...this.waiting.values()];
    setText(this.words, asked.length ? `Asked for ${asked.join(", ")}; answered between two steps, within about a second.` : "");
  }

  showAnswers(answers) {
    const drawn = answers.find(({ picture }) => picture !== null);
    replaceChildren(
      this.answers,
      drawn &&
        element(
          "figure",
          {},
          element("img", { src: this.source.picture("drawn", drawn.picture), alt: `Samples that were asked for. ${drawn.text}` }),
          element("figcaption", { text: drawn.text }),
        ),
      element("ul", { class: "statements" }, ...answers.filter((answer) => answer !== drawn).map(({ text }) => element("li", { text }))),
    );
  }
}
