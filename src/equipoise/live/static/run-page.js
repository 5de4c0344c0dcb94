/** The page of one run, from wherever its numbers come: a server that follows it, or a page that keeps it. */

import { byId, replaceChildren, setText } from "./dom.js";
import { RunControl } from "./run-control.js";
import { RunCurves } from "./run-curves.js";
import { RunEvidence } from "./run-evidence.js";
import { RunSamples } from "./run-samples.js";
import { showHappenings, showNumbers, showVerdict } from "./run-words.js";

/**
 * @typedef {Object} RunSource where a run's numbers come from
 * @property {(query: string) => Promise<any>} series its curves
 * @property {(step: number) => Promise<any>} histogram of the discriminator's outputs
 * @property {(what: string, step?: number|null, version?: string) => string} picture an address; the version tells a new one from an old one
 * @property {(request: any) => Promise<any>} ask something of the run
 * @property {(listeners: Object<string, (data: any) => void>) => void} listen to what happens
 */

/**
 * Fill the page, now and with everything that happens.
 * @param {RunSource} source
 */
export function showRun(source) {
  const evidence = new RunEvidence(source);
  const curves = new RunCurves(source, evidence.histogramCard);
  const samples = new RunSamples(source, (step) => evidence.showHistogram(step));
  const control = new RunControl(source);
  let spoken = "";

  function onState(state) {
    showTrouble(state.trouble);
    if (!state.is_open) return;
    document.title = `${state.name} · equipoise`;
    showVerdict(state);
    showHappenings(state);
    showNumbers(state);
    samples.show(state);
    evidence.show(state);
    control.show(state.control);
    curves.show(state);
  }

  function onProgress(progress) {
    showTrouble(progress.trouble);
    if (progress.step === undefined) return;
    const state = byId("state");
    state.dataset.state = progress.state;
    setText(state, progress.condition);
    const isTraining = progress.state === "training";
    const bar = byId("progress");
    bar.hidden = !progress.steps;
    bar.classList.toggle("is-training", isTraining);
    byId("progress-bar").style.width = `${progress.steps ? Math.min(100, (100 * progress.step) / progress.steps) : 0}%`;
    const speed = progress.steps_per_second;
    setText(
      byId("progress-words"),
      [
        progress.steps
          ? `step ${progress.step.toLocaleString("en-GB")} of ${progress.steps.toLocaleString("en-GB")}`
          : `step ${progress.step.toLocaleString("en-GB")}`,
        speed && `${speed >= 100 ? Math.round(speed) : speed.toPrecision(3)} steps per second`,
        progress.left && `about ${progress.left} left`,
        progress.trained !== "–" && `trained ${progress.trained}`,
        progress.trend && `trend: ${progress.trend}`,
      ]
        .filter(Boolean)
        .join(" · "),
    );
    showNumbers({ key_numbers: progress.key_numbers });
    samples.showWeights(progress.weights);
    curves.progress(progress);
    // What a screen reader is told: the state and the trend when they change, not every step.
    const words = `${progress.condition}${progress.trend ? `, trend: ${progress.trend}` : ""}`;
    if (words !== spoken) setText(byId("spoken"), words);
    spoken = words;
  }

  source.listen({ state: onState, progress: onProgress });
}

function showTrouble(text) {
  const place = byId("trouble");
  place.hidden = !text;
  if (place.textContent !== text) replaceChildren(place, text ?? "");
}
