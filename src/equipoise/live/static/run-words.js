/** The words of a run page: what the referee says, what happened, numbers and settings. */

import { byId, element, facts, prose, replaceChildren, table } from "./dom.js";

const shown = new Map();

/** Call `draw` when what it draws has changed: focus and open details stay where nothing did. */
export function whenChanged(name, content, draw) {
  const text = JSON.stringify(content);
  if (shown.get(name) === text) return;
  shown.set(name, text);
  draw();
}

/** The card of the verdict, as the report has it. */
export function showVerdict(state) {
  const { verdict_class, verdict_word, verdict_sentence, distance_sentence, verdict_basis, weights_sentence, statements, verdict_evidence, scale, flags } = state;
  whenChanged("verdict", [verdict_class, verdict_word, verdict_sentence, distance_sentence, verdict_basis, weights_sentence, statements, verdict_evidence, scale], () => {
    const card = byId("verdict");
    const opened = new Set([...card.querySelectorAll("details[open]")].map((each) => each.dataset.name));
    const opening = (name, title, content) => element("details", { open: opened.has(name), dataset: { name } }, element("summary", { text: title }), content);
    const problems = statements.filter(([isProblem]) => isProblem).map(([, text]) => text);
    const others = statements.filter(([isProblem]) => !isProblem).map(([, text]) => text);
    card.className = `card verdict ${verdict_class}`;
    card.hidden = false;
    replaceChildren(
      card,
      verdict_word && element("p", { class: "word", text: verdict_word }),
      element("p", { class: "sentence", prose: verdict_sentence }),
      distance_sentence && element("p", { prose: distance_sentence }),
      scale && drawnScale(scale),
      scale && note("The mark is the lower bound; the true distance (Jensen-Shannon divergence, in nats) lies somewhere to its right."),
      verdict_basis && note(verdict_basis),
      weights_sentence && note(weights_sentence),
      problems.length > 0 && element("ul", { class: "statements" }, ...problems.map((text) => statement(text, true))),
      others.length > 0 && opening("others", `${problems.length ? "Other findings" : "Findings"}, none of them a problem`, element("ul", { class: "statements" }, ...others.map((text) => statement(text, false)))),
      verdict_evidence.length > 0 && opening("evidence", "What the verdict rests on", facts(verdict_evidence)),
    );
  });
  whenChanged("flags", flags, () => {
    const card = byId("look");
    card.hidden = !flags.length;
    replaceChildren(card, element("h3", { text: "What the monitor saw during training" }), element("ul", { class: "statements" }, ...flags.map((text) => statement(text, true))));
  });
}

/** Rollbacks, the event log, and what could not be read. */
export function showHappenings({ incidents, events, troubles }) {
  whenChanged("happenings", [incidents, events, troubles], () => {
    const parts = [];
    if (troubles.length) parts.push(list("What could not be read", troubles));
    if (incidents.length) parts.push(list("What happened to this run", incidents));
    if (events.length) {
      parts.push(
        element(
          "section",
          { class: "card" },
          element("h3", { text: "Event log" }),
          element("ul", { class: "event-list" }, ...events.map(({ when, text }) => element("li", {}, element("time", { text: when }), element("span", { prose: text })))),
        ),
      );
    }
    if (!parts.length) parts.push(element("p", { class: "card muted", text: "Nothing out of the ordinary: no rollback, no file that could not be read." }));
    replaceChildren(byId("happenings"), element("div", { class: "stack" }, ...parts));
  });
}

let numbers = {};

/** Key numbers, the game, the data, the environment and the configuration. */
export function showNumbers(state) {
  numbers = { ...numbers, ...state };
  const { key_numbers = [], game_facts = [], data_facts = [], data_notes = [], environment_facts = [], scores, config_text } = numbers;
  whenChanged("numbers", [key_numbers, game_facts, data_facts, data_notes, environment_facts, scores], () => {
    replaceChildren(
      byId("numbers"),
      factsCard("At the last measured step", key_numbers, "Nothing was measured yet."),
      factsCard("The game", game_facts),
      scores && element("section", { class: "card" }, element("h3", { text: scores.title }), element("p", { class: "reading", text: scores.reading }), table(scores.header, scores.rows, { caption: scores.title })),
      factsCard("Data", data_facts, "", data_notes),
      factsCard("Environment", environment_facts),
    );
  });
  whenChanged("config", config_text, () => {
    byId("settings").hidden = !config_text;
    replaceChildren(byId("config"), config_text ?? "");
  });
}

/** A sentence in small letters. */
export const note = (text) => element("p", { class: "note", prose: text });

/** A card with a heading, a sentence on how to read it, and its content. */
export function card({ title, label = "", reading = "", notes = [], numbers = null }, ...content) {
  return element(
    "section",
    { class: "card" },
    element("h3", { text: title }),
    label && element("p", { class: "label", text: label }),
    ...content,
    reading && element("p", { class: "reading", prose: reading }),
    notes.length > 0 && note(notes.join(" ")),
    numbers,
  );
}

function statement(text, isProblem) {
  return element("li", {}, isProblem && element("strong", { text: "Look at this: " }), ...prose(text));
}

function list(title, sentences) {
  return element("section", { class: "card" }, element("h3", { text: title }), element("ul", { class: "statements" }, ...sentences.map((text) => element("li", { prose: text }))));
}

function factsCard(title, rows, absent = "", notes = []) {
  if (!rows.length && !absent) return null;
  return element(
    "section",
    { class: "card" },
    rows.length ? facts(rows, title) : element("p", { class: "muted", text: absent }),
    notes.length > 0 && element("ul", { class: "note" }, ...notes.map((text) => element("li", { prose: text }))),
  );
}

function drawnScale({ bound, label }) {
  const span = element("div", { class: "span" });
  const mark = element("div", { class: "mark" });
  span.style.left = mark.style.left = `${Number(bound)}%`;
  return element(
    "div",
    { class: "scale", role: "img", "aria-label": label },
    element("div", { class: "track" }, span, mark),
    element("div", { class: "ends" }, element("span", { text: "0 · identical" }), element("span", { text: "0.693 · never alike" })),
  );
}
