/** The page of the playground: one game of its own on the server, its picture, its walk and its controls. */

import { byId, element, number, pageData, replaceChildren, setText } from "/static/dom.js";
import { listen } from "/static/events.js";
import { postJson } from "/static/request.js";
import { Brush } from "./brush.js";
import { GameView } from "./game-view.js";
import { SettingsForm, situationLinks } from "./settings-form.js";
import { WalkView } from "./walk-view.js";

const SLOW = 2;

const known = pageData();
const wanted = asked();
let game = null;
let state = null;
let done = Promise.resolve();

const prepared = known.situations.find(({ name }) => name === wanted.situation);
const heading = element("h1", { text: prepared?.title ?? "Play" });
const sentence = element("p", { class: "look-for", text: prepared?.sentence ?? "" });
const start = element("button", { type: "button", class: "primary", text: "Start" });
const step = element("button", { type: "button", text: "Step" });
const again = element("button", { type: "button", text: "Reset" });
const speed = element("select", { id: "speed", "aria-label": "Speed" }, ...known.speeds.map((value) => element("option", { value, text: `${number(value)} step${value === 1 ? "" : "s"} a second${value <= SLOW ? ", walked" : ""}` })), element("option", { value: "", text: "as fast as it goes" }));
const counter = element("output", { class: "counter", "aria-label": "Steps made", text: "the game is being set up …" });
const trouble = element("p", { class: "failed", role: "alert", hidden: true });
const viewHost = element("div", { class: "view" });
const walkHost = element("section", { class: "card walk", "aria-label": "One iteration, walked" }, element("h2", { class: "small", text: "One iteration, walked" }));
const settingsHost = element("form", { class: "settings", "aria-label": "Settings of the game" });
settingsHost.addEventListener("submit", (event) => event.preventDefault());

replaceChildren(
  byId("content"),
  element("header", {}, element("p", { class: "eyebrow", text: "equipoise play" }), heading, sentence),
  element("nav", { "aria-label": "Prepared situations" }, situationLinks(known.situations, wanted.situation)),
  element("div", { class: "row controls", role: "group", "aria-label": "Play" }, start, step, element("label", { class: "inline", for: "speed" }, speed), again, counter, element("span", { class: "note keys", text: "keys: space start and pause, S step, R reset" })),
  trouble,
  viewHost,
  walkHost,
  element("section", { class: "card" }, element("h2", { class: "small", text: "Settings" }), settingsHost),
);

const view = new GameView(viewHost, { layers: [], onLayers: (layers) => void command("layers", layers) });
let followed = null;
const walk = new WalkView(walkHost, (found) => {
  followed = found;
  ring();
});
const data = dataControls();
const form = new SettingsForm(settingsHost, known, async (changes) => {
  await ask("settings", changes);
  remember(changes);
});

/** Ring the sample that is followed, while its numbers are those of the picture. */
function ring() {
  const isFast = state?.playing && !(state.speed && state.speed <= SLOW);
  view.followed = isFast || data.isDrawing() ? null : followed;
  view.redraw();
}

/** What the address asks for: `/play/NAME`, or `#situation=NAME&gamma=1`. */
function asked() {
  const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const { situation = known.situation, ...texts } = given;
  const settings = {};
  for (const [name, text] of Object.entries(texts)) settings[name] = known.limits[name] ? Number(text) : text;
  return { situation, settings };
}

/** Keep changed settings in the address, so that it can be sent to somebody else. */
function remember(changes) {
  const kept = new URLSearchParams(location.hash.slice(1));
  kept.set("situation", wanted.situation);
  for (const [name, value] of Object.entries(changes)) kept.set(name, String(value));
  history.replaceState(null, "", `#${kept}`);
}

async function begin() {
  let opened = null;
  try {
    opened = await postJson("/play/api/games", wanted);
  } catch (error) {
    if (error.status !== 400 || !Object.keys(wanted.settings).length) throw error;
    complain(error.message); // the address had a setting that is none: begin without
    opened = await postJson("/play/api/games", { situation: wanted.situation });
  }
  game = opened.key;
  const { situation } = opened;
  setText(heading, situation.title);
  document.title = `${situation.title} · equipoise`;
  setText(sentence, situation.sentence);
  view.setLayers(situation.layers);
  showState(opened);
  listen(`/play/api/games/${game}/frames`, { frame: showFrame, walk: showWalk, over: () => complain("This game was closed: reload the page to begin another one.") }, lost);
}

function showFrame(frame) {
  view.show(frame);
  setText(counter, `step ${number(frame.step, 9)}${frame.rate ? ` · ${frame.rate} a second` : ""}`);
  if (frame.playing !== state.playing || frame.trouble !== state.trouble) showState({ ...state, playing: frame.playing, trouble: frame.trouble });
}

function showWalk(found) {
  const isSlow = state.playing && state.speed !== null && state.speed <= SLOW;
  walk.show(found, isSlow ? 0.9 / state.speed : 0);
}

function showState(found) {
  state = found;
  for (const button of [start, step, again]) button.disabled = false;
  setText(start, state.playing ? "Pause" : "Start");
  speed.value = state.speed === null ? "" : String(state.speed);
  trouble.hidden = !state.trouble;
  setText(trouble, state.trouble || "");
  if (state.settings) form.show(state.settings);
  if (state.data) data.show(state.data);
  ring();
  walkHost.classList.toggle("is-running", state.playing && !(state.speed && state.speed <= SLOW));
}

async function ask(name, value = null) {
  const found = await postJson(`/play/api/games/${game}/${name}`, { value });
  showState({ ...state, ...found });
  return found;
}

async function command(name, value = null) {
  if (!game) return;
  try {
    await ask(name, value);
  } catch (error) {
    complain(error.message);
  }
}

/** What start does depends on the answer to what was asked before: a second press waits for it. */
function inTurn(asking) {
  done = done.then(asking);
}

function complain(text) {
  trouble.hidden = false;
  setText(trouble, text);
}

function lost(connection) {
  const place = byId("connection");
  place.dataset.state = connection;
  setText(place, { open: "connected", waiting: "reconnecting …", refused: "open the address that the server printed" }[connection]);
}

function dataControls() {
  const select = element("select", { id: "data" }, ...Object.keys(known.data).map((name) => element("option", { value: name, text: name })), element("option", { value: "other", text: "my own", hidden: true }));
  const width = element("input", { type: "range", id: "brush", min: known.brush[0], max: known.brush[1], step: 0.01, value: 0.12 });
  const draw = element("button", { type: "button", "aria-pressed": "false", text: "Draw data" });
  const file = element("input", { type: "file", id: "csv", accept: ".csv,.tsv,.txt,text/csv" });
  const note = element("p", { class: "note", role: "status" });
  const brush = new Brush(view, () => Number(width.value), (points) => void command("data", { points, brush: Number(width.value) }));
  const stop = () => {
    if (brush.isOn) brush.turn(false);
    draw.setAttribute("aria-pressed", "false");
    setText(draw, "Draw data");
  };
  draw.addEventListener("click", () => {
    if (brush.isOn) return stop();
    brush.turn(true);
    ring();
    draw.setAttribute("aria-pressed", "true");
    setText(draw, "Done drawing");
    setText(note, "Draw on the plane with the mouse or a finger. With the keyboard: go to the plane, arrows move, space puts a point.");
    view.canvas.scrollIntoView({ block: "nearest" });
    view.canvas.focus({ preventScroll: true });
    return undefined;
  });
  width.addEventListener("change", () => {
    if (brush.points.length && state.data.name === "drawn") void command("data", { points: brush.points, brush: Number(width.value) });
  });
  select.addEventListener("change", () => {
    stop();
    void command("data", { name: select.value });
  });
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    stop();
    await command("data", { csv: await file.files[0].text(), name: file.files[0].name });
    file.value = "";
  });
  settingsHost.append(
    element(
      "fieldset",
      {},
      element("legend", { text: "Data" }),
      element("div", { class: "setting" }, element("label", { for: "data", text: "built in" }), select),
      element("div", { class: "setting" }, element("span", { text: "by hand" }), draw),
      element("div", { class: "setting" }, element("label", { for: "brush", text: "width of the brush" }), width),
      element("div", { class: "setting" }, element("label", { for: "csv", text: "CSV of two columns" }), file),
      note,
    ),
  );
  return {
    stop,
    isDrawing: () => brush.isOn,
    show({ name, note: words }) {
      const isKnown = name in known.data;
      select.options[select.options.length - 1].hidden = isKnown;
      select.value = isKnown ? name : "other";
      if (!brush.isOn || name === "drawn") setText(note, words);
    },
  };
}

// A game is opened first: until it answers there is nothing to start.
speed.value = prepared?.speed ? String(prepared.speed) : "";
for (const button of [start, step, again]) button.disabled = true;
start.addEventListener("click", () => {
  data.stop();
  inTurn(() => command(state.playing ? "pause" : "play"));
});
step.addEventListener("click", () => {
  data.stop();
  inTurn(() => command("step"));
});
again.addEventListener("click", () => {
  view.forget();
  inTurn(() => command("reset"));
});
speed.addEventListener("change", () => void command("speed", speed.value === "" ? null : Number(speed.value)));
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, button, a, summary, [role=slider]")) return;
  const actions = { " ": start, s: step, S: step, r: again, R: again };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key].click();
});
addEventListener("hashchange", () => location.reload());

begin().catch((error) => complain(error.message));
