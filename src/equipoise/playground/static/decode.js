/** Frames as they come from the server or from a recording, as arrays of numbers. */

export const REACH = 3;
const CODED = (4 * REACH) / 32767;

/**
 * @typedef {Object} Frame
 * @property {number} step
 * @property {Float32Array} real x, y, x, y, ...
 * @property {Float32Array} fake
 * @property {Float32Array} grid images of the latent grid's points
 * @property {boolean} line whether the grid is one line
 * @property {Float32Array|null} slope gradient of the logit at each generated point
 * @property {Float32Array|null} logits
 * @property {Float32Array|null} pull how far this game's own loss pulls along the slope
 * @property {Uint8Array|null} surface
 * @property {Uint8Array|null} best
 */

/** A frame with its base64 texts decoded; everything else as it came. */
export function decoded(frame) {
  return {
    ...frame,
    real: points(frame.real),
    fake: points(frame.fake),
    grid: points(frame.grid),
    slope: frame.slope ? floats(frame.slope) : null,
    logits: frame.logits ? floats(frame.logits) : null,
    pull: frame.pull ? floats(frame.pull) : null,
    surface: frame.surface ? bytes(frame.surface) : null,
    best: frame.best ? bytes(frame.best) : null,
  };
}

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function points(text) {
  return Float32Array.from(new Int16Array(bytes(text).buffer), (value) => value * CODED);
}

function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));

/** How far each loss pulls a generated point along the slope of the logit: minus its derivative in the logit. */
export const PULLS = {
  own: (logit, pull) => pull,
  saturating: (logit) => sigmoid(logit),
  nonsaturating: (logit) => sigmoid(-logit),
};

/** Arrows of one loss, x, y, x, y, ..., and their mean length. */
export function arrowsOf(frame, loss) {
  const { slope, logits, pull } = frame;
  const arrows = new Float32Array(slope.length);
  let sum = 0;
  for (let i = 0; i < logits.length; i += 1) {
    const factor = PULLS[loss](logits[i], pull[i]);
    arrows[2 * i] = factor * slope[2 * i];
    arrows[2 * i + 1] = factor * slope[2 * i + 1];
    sum += Math.hypot(arrows[2 * i], arrows[2 * i + 1]);
  }
  return { arrows, mean: sum / logits.length };
}
