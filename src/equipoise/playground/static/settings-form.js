/** The controls of a game's settings; each change is sent at once, and what the server refuses is said beside it. */

import { element, replaceChildren, setText } from "/static/dom.js";

const WORDS = {
  objective: "objective",
  penalty: "penalty of D",
  gamma: "gamma, its weight",
  update_rule: "update rule",
  n_critic: "D updates a step (n_critic)",
  optimizer: "optimizer",
  discriminator_rate: "learning rate of D",
  generator_rate: "learning rate of G",
  batch_size: "batch size",
  sampling: "real rows drawn",
  latents: "law of the latents z",
  generator_width: "G: units of a layer",
  generator_depth: "G: hidden layers (0 is linear)",
  discriminator_width: "D: units of a layer",
  discriminator_depth: "D: hidden layers (0 is linear)",
  seed: "seed",
};
const GROUPS = [
  ["The game", ["objective", "penalty", "gamma"]],
  ["Updates", ["update_rule", "n_critic", "discriminator_rate", "generator_rate", "optimizer", "batch_size", "sampling"]],
  ["Networks (a change begins again)", ["latents", "generator_width", "generator_depth", "discriminator_width", "discriminator_depth", "seed"]],
];
const VALUES = {
  r1_r2: "r1 + r2",
  none: "none",
  as_they_come: "as they come",
  balanced: "balanced by mode",
  normal: "2 normal numbers",
  uniform: "2 uniform numbers",
  normal_line: "1 normal number",
  squared_error: "squared error",
};

export class SettingsForm {
  /**
   * @param {HTMLElement} host
   * @param {Object} data what the page knows: choices, limits
   * @param {(changes: Object) => Promise<void>} send
   */
  constructor(host, data, send) {
    this.send = send;
    this.controls = {};
    for (const [title, names] of GROUPS) {
      const rows = names.map((name) => this.control(name, data));
      host.append(element("fieldset", {}, element("legend", { text: title }), ...rows));
    }
    this.message = element("p", { class: "failed", role: "alert", hidden: true });
    host.append(this.message);
  }

  control(name, data) {
    const limit = data.limits[name];
    const control = data.choices[name]
      ? element("select", { id: `set-${name}` }, ...data.choices[name].map((value) => element("option", { value, text: VALUES[value] ?? value.replaceAll("_", " ") })))
      : element("input", { id: `set-${name}`, type: "number", min: limit.low, max: limit.high, step: limit.whole ? 1 : "any", inputmode: limit.whole ? "numeric" : "decimal" });
    control.addEventListener("change", () => this.changed(name, control));
    this.controls[name] = control;
    return element("div", { class: "setting" }, element("label", { for: `set-${name}`, text: WORDS[name] }), control);
  }

  async changed(name, control) {
    const value = control.tagName === "SELECT" ? control.value : Number(control.value);
    this.say("");
    try {
      await this.send({ [name]: value });
    } catch (error) {
      this.say(error.message);
    }
  }

  say(text) {
    this.message.hidden = !text;
    setText(this.message, text);
  }

  /** Show the settings that the game has. */
  show(settings) {
    for (const [name, control] of Object.entries(this.controls)) {
      if (document.activeElement !== control || control.tagName === "SELECT") control.value = String(settings[name]);
    }
    this.controls.gamma.disabled = settings.penalty === "none";
    this.controls.n_critic.disabled = !settings.update_rule.startsWith("alternating");
  }
}

/** The situations as links. */
export function situationLinks(situations, here) {
  const list = element("ul", { class: "situations" });
  replaceChildren(
    list,
    ...situations
      .filter(({ name }) => name !== "free")
      .map(({ name, title }) => element("li", {}, element("a", { href: `/play/${name}`, "aria-current": name === here ? "page" : null, text: title }))),
  );
  return list;
}
