/** A recorded game as a page of its own, which holds the recording. */

import { byId } from "/static/dom.js";
import { showIn } from "./recorded.js";

/** Show the game that the page keeps in its element `recording`. */
export function start() {
  showIn(byId("game"), JSON.parse(byId("recording").textContent));
}
