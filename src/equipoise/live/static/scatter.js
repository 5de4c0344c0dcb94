/** Points on a canvas, in the colours of the page. */

/**
 * The smallest rectangle around sets of points, a little larger.
 * @param {Array<Array<[number, number]>>} sets
 * @returns {{x: [number, number], y: [number, number]}}
 */
export function extentOf(sets) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (const points of sets) {
    for (const point of points) {
      for (const axis of [0, 1]) {
        if (!Number.isFinite(point[axis])) continue;
        low[axis] = Math.min(low[axis], point[axis]);
        high[axis] = Math.max(high[axis], point[axis]);
      }
    }
  }
  const range = (axis) => {
    if (low[axis] > high[axis]) return [-1, 1];
    const margin = 0.05 * (high[axis] - low[axis]) || 1;
    return [low[axis] - margin, high[axis] + margin];
  };
  return { x: range(0), y: range(1) };
}

/**
 * Fit a canvas to its place on the page and the pixels of the screen.
 * @param {HTMLCanvasElement} canvas
 * @returns {{context: CanvasRenderingContext2D, width: number, height: number}} sizes in CSS pixels
 */
export function fitCanvas(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const dense = window.devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * dense)), Math.max(1, Math.round(height * dense))];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext("2d");
  context.setTransform(dense, 0, 0, dense, 0, 0);
  return { context, width, height };
}

/** The colour that a style variable of the page stands for now, such as `--real`. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888";
}

/**
 * Draw a set of points.
 * @param {CanvasRenderingContext2D} context
 * @param {Array<[number, number]>} points
 * @param {(point: [number, number]) => [number, number]} place from the data's units to CSS pixels
 * @param {{colour: string, radius?: number, opacity?: number}} look
 */
export function drawPoints(context, points, place, { colour: fill, radius = 2, opacity = 0.6 }) {
  context.save();
  context.globalAlpha = opacity;
  context.fillStyle = fill;
  context.beginPath();
  for (const point of points) {
    const [x, y] = place(point);
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }
  context.fill();
  context.restore();
}
