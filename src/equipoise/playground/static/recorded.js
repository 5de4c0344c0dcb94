/** A recorded game in a page without a server: the same picture, walk and chart, with a control to play it. */

import { element, number, setText } from "/static/dom.js";
import { GameView } from "./game-view.js";
import { WalkView } from "./walk-view.js";

const FRAMES_PER_SECOND = 12;
const recordings = new Map();
const waiting = new Map();

/** Called by a recording's own script when it has come. */
export function keep(name, recording) {
  recordings.set(name, recording);
  waiting.get(name)?.(recording);
}

/**
 * Show a recording inside an element; its script is loaded when it is first needed.
 * @param {HTMLElement} host
 * @param {string} name
 * @param {string} source address of its script
 */
export function show(host, name, source) {
  if (recordings.has(name)) {
    showIn(host, recordings.get(name));
    return;
  }
  waiting.set(name, (recording) => showIn(host, recording));
  const script = document.createElement("script");
  script.src = source;
  script.addEventListener("error", () => setText(host, "The recording could not be loaded."));
  document.head.append(script);
}

/** All recordings of a page, each when it comes near the window. */
export function showAll() {
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        show(target, target.dataset.recording, target.dataset.source);
      }
    },
    { rootMargin: "400px" },
  );
  for (const host of document.querySelectorAll(".playground[data-recording]")) seen.observe(host);
}

/**
 * Show a recording inside an element.
 * @param {HTMLElement} host
 * @param {Object} recording as `equipoise play --record` writes it
 */
export function showIn(host, recording) {
  const { situation, frames } = recording;
  let place = 0;
  let timer = 0;
  const start = button("Play", toggle, "primary");
  const step = button("Step", () => go(place + 1, true));
  const slider = element("input", { type: "range", min: 0, max: frames.length - 1, value: 0, "aria-label": "Moment of the recording" });
  const counter = element("output", { class: "counter" });
  const viewHost = element("div", { class: "view recorded" });
  const walkHost = element("details", { class: "walk" }, element("summary", { text: "Its first iteration, walked box by box" }));
  slider.addEventListener("input", () => go(Number(slider.value), true));
  host.replaceChildren(
    element("p", { class: "look-for", text: situation.sentence }),
    element("div", { class: "row controls", role: "group", "aria-label": "Play the recording" }, start, step, slider, counter),
    viewHost,
    walkHost,
    element("p", { class: "note", text: `A recording of “${situation.title}”. With equipoise installed, “equipoise play ${situation.name}” plays it live, and every setting can be changed.` }),
  );
  const view = new GameView(viewHost, { layers: situation.layers, isRecorded: true });
  const walk = new WalkView(walkHost);
  walkHost.addEventListener("toggle", () => walkHost.open && walk.show(recording.walk), { once: true });

  function frameAt(index) {
    return { ...recording.common, grid: "", ...frames[index], playing: timer !== 0 };
  }

  /** Show a moment; whoever jumps gets the curve of all that came before. */
  function go(index, isByHand = false) {
    if (isByHand) stop();
    const next = Math.max(0, Math.min(frames.length - 1, index));
    if (next !== place + 1) {
      view.forget();
      for (let earlier = 0; earlier < next; earlier += 1) view.pass(frameAt(earlier));
    }
    place = next;
    view.show(frameAt(place));
    slider.value = String(place);
    slider.setAttribute("aria-valuetext", `step ${frames[place].step}`);
    setText(counter, `step ${number(frames[place].step, 9)}`);
    if (place === frames.length - 1) stop();
  }

  function stop() {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    setText(start, "Play");
    view.show(frameAt(place));
  }

  function toggle() {
    if (timer) {
      stop();
      return;
    }
    if (place === frames.length - 1) go(0);
    setText(start, "Pause");
    timer = setInterval(() => go(place + 1), 1000 / FRAMES_PER_SECOND);
  }

  go(0);
}

function button(words, onClick, className = "") {
  const made = element("button", { type: "button", class: className, text: words });
  made.addEventListener("click", onClick);
  return made;
}
