/** The page of a run as it was at one moment, which holds everything that it shows and asks nobody. */

import { byId } from "./dom.js";
import { showRun } from "./run-page.js";

/** Show the run that the page keeps in its element `recording`. */
export function show() {
  const { state, progress, series, histograms, pictures } = JSON.parse(byId("recording").textContent);
  showRun({
    series: async () => series,
    histogram: async (step) => histograms[step],
    picture: (what, step = null) => pictures[step === null ? what : `${what} ${step}`] ?? "",
    ask: async () => null,
    listen(listeners) {
      listeners.state(state);
      listeners.progress(progress);
    },
  });
}
