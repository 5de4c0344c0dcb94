/** The page of a run that the server follows: told of every change, it asks for the curves that it shows. */

import { pageData } from "./dom.js";
import { listen } from "./events.js";
import { getJson, postJson } from "./request.js";
import { showRun } from "./run-page.js";

const { address } = pageData();

showRun({
  series: (query) => getJson(`${address}/series?${query}`),
  histogram: (step) => getJson(`${address}/histogram?step=${step}`),
  picture(what, step = null, version = "") {
    const query = new URLSearchParams();
    if (step !== null) query.set("step", String(step));
    if (version) query.set("version", version);
    return `${address}/picture/${what}?${query}`;
  },
  ask: (request) => postJson(`${address}/requests`, request),
  listen: (listeners) => listen(`${address}/events`, listeners),
});
