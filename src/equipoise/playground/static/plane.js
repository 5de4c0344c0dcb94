/** The plane of a game on a canvas: D's surface, real and generated points, arrows, the warped grid, a trail. */

import { contour } from "./contours.js";
import { arrowsOf, REACH } from "./decode.js";

const MOST_ARROW = 0.7; // length of the longest arrow, in the plane's units
const FLAT = 8; // of 255: below it lines of equal height would show rounding
const LEVELS = [0.25, 0.5, 0.75];

const NAMES = ["card", "ink", "muted", "axis", "rule", "real", "fake", "discriminator", "generator"];
const dark = matchMedia("(prefers-color-scheme: dark)");
let known = null;

/** The page's colours, as they are now: dark mode changes them. Asked of the page once for each mode. */
export function coloursOf(node) {
  if (known?.isDark !== dark.matches) {
    const style = getComputedStyle(node);
    const colours = NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim() || "#888"]);
    known = { isDark: dark.matches, colours: Object.fromEntries(colours) };
  }
  return known.colours;
}

/** "#rrggbb" or "#rgb" as three numbers. */
export function channels(colour) {
  const text = colour.length === 4 ? [...colour.slice(1)].map((c) => c + c).join("") : colour.slice(1);
  return [0, 2, 4].map((at) => parseInt(text.slice(at, at + 2), 16));
}

/**
 * The colour of a place on the scale from 0 to 1: for a probability from generated over the page's own to real, for any
 * other output from the page's own to the discriminator's.
 */
export function scaleColour(share, isProbability, colours) {
  const middle = channels(colours.card);
  const end = channels(isProbability ? (share < 0.5 ? colours.fake : colours.real) : colours.discriminator);
  const weight = isProbability ? 0.5 * Math.abs(2 * share - 1) : 0.75 * share;
  return middle.map((value, at) => Math.round(value + (end[at] - value) * weight));
}

export class Plane {
  /**
   * @param {HTMLCanvasElement} canvas square
   */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.cells = document.createElement("canvas");
    this.marks = new Map();
    this.shownWidth = 0;
    new ResizeObserver(() => {
      this.shownWidth = 0;
    }).observe(canvas);
  }

  /** Where a point of the plane is on the canvas, in its pixels. */
  toPixels(x, y) {
    const side = this.canvas.width;
    return [((x + REACH) / (2 * REACH)) * side, ((REACH - y) / (2 * REACH)) * side];
  }

  /** The point of the plane at a place of the page. */
  toPoint(clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    const [across, down] = [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
    return [(2 * across - 1) * REACH, (1 - 2 * down) * REACH];
  }

  /** Fit the canvas to its place and the screen's pixels. */
  fit() {
    // Measured where it has changed: asking the page for a width makes it lay itself out anew, in each frame.
    this.shownWidth ||= this.canvas.clientWidth;
    const side = Math.max(40, Math.round(this.shownWidth * Math.min(2, devicePixelRatio || 1)));
    if (this.canvas.width !== side || this.canvas.height !== side) {
      this.canvas.width = side;
      this.canvas.height = side;
    }
    this.unit = side / (2 * REACH);
    this.pixel = side / Math.max(1, this.shownWidth);
  }

  /**
   * @param {import("./decode.js").Frame} frame decoded
   * @param {Object} options
   * @param {Set<string>} options.layers surface, best, grid, arrows, trail, points
   * @param {"own"|"saturating"|"nonsaturating"} [options.loss] whose arrows
   * @param {number} [options.longest] length that the longest arrow stands for; its own otherwise
   * @param {number[][]} [options.trail]
   * @param {{real?: number[], fake?: number[]}} [options.followed] points with a ring
   * @param {number[][]} [options.drawn] points that are being drawn
   * @param {number} [options.brush]
   */
  draw(frame, options) {
    this.fit();
    const { context, canvas } = this;
    const colours = coloursOf(canvas);
    const { layers } = options;
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = colours.card;
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (layers.has("surface") && frame.surface) this.drawSurface(frame.surface, frame.probability, colours);
    this.drawAxes(colours);
    if (layers.has("surface") && frame.surface && frame.probability) this.drawContours(frame.surface, colours.muted, []);
    if (layers.has("best") && frame.best) this.drawContours(frame.best, colours.ink, [5, 4]);
    if (layers.has("grid")) this.drawGrid(frame, colours.generator);
    if (layers.has("trail") && options.trail) this.drawTrail(options.trail, colours.generator);
    if (!options.drawn) this.drawPoints(frame.real, colours.real, colours.card, true);
    if (layers.has("arrows") && frame.slope) this.drawArrows(frame, options, colours);
    this.drawPoints(frame.fake, colours.fake, colours.card, false);
    if (options.drawn) this.drawBrushed(options.drawn, options.brush, colours.real);
    if (options.followed) this.drawRings(options.followed, colours);
  }

  drawSurface(surface, isProbability, colours) {
    const size = Math.round(Math.sqrt(surface.length));
    this.cells.width = size;
    this.cells.height = size;
    const picture = new ImageData(size, size);
    const pixels = new Uint32Array(picture.data.buffer);
    const table = this.tableOf(isProbability, colours);
    for (let row = 0; row < size; row += 1) {
      const line = (size - 1 - row) * size;
      for (let column = 0; column < size; column += 1) pixels[line + column] = table[surface[row * size + column]];
    }
    this.cells.getContext("2d").putImageData(picture, 0, 0);
    this.context.imageSmoothingEnabled = true;
    this.context.drawImage(this.cells, 0, 0, this.canvas.width, this.canvas.height);
  }

  /** The colours of the scale as pixels, made once for a scale. */
  tableOf(isProbability, colours) {
    if (this.table?.colours !== colours || this.table.isProbability !== isProbability) {
      const bytes = Uint8ClampedArray.from({ length: 1024 }, () => 255);
      for (let value = 0; value < 256; value += 1) bytes.set(scaleColour(value / 255, isProbability, colours), 4 * value);
      this.table = { colours, isProbability, pixels: new Uint32Array(bytes.buffer) };
    }
    return this.table.pixels;
  }

  drawAxes(colours) {
    const { context, canvas } = this;
    context.strokeStyle = colours.rule;
    context.lineWidth = this.pixel;
    context.beginPath();
    for (let at = -REACH + 1; at < REACH; at += 1) {
      const [x, y] = this.toPixels(at, at);
      context.moveTo(x, 0);
      context.lineTo(x, canvas.height);
      context.moveTo(0, y);
      context.lineTo(canvas.width, y);
    }
    context.globalAlpha = 0.55;
    context.stroke();
    context.globalAlpha = 1;
    context.fillStyle = colours.muted;
    context.font = `${10.5 * this.pixel}px system-ui, sans-serif`;
    for (const at of [-2, 0, 2]) {
      const [x, y] = this.toPixels(at, at);
      const text = String(at).replace("-", "−");
      context.fillText(text, x + 3 * this.pixel, canvas.height - 4 * this.pixel);
      if (at) context.fillText(text, 3 * this.pixel, y - 3 * this.pixel);
    }
  }

  drawContours(heights, colour, dashes) {
    const { context } = this;
    if (Math.max(...heights) - Math.min(...heights) < FLAT) return;
    const size = Math.round(Math.sqrt(heights.length));
    const scale = this.canvas.width / size;
    context.strokeStyle = colour;
    context.setLineDash(dashes.map((length) => length * this.pixel));
    for (const level of LEVELS) {
      context.lineWidth = (level === 0.5 ? 1.8 : 0.8) * this.pixel;
      context.beginPath();
      for (const [x0, y0, x1, y1] of contour(heights, size, 255 * level)) {
        context.moveTo(x0 * scale, this.canvas.height - y0 * scale);
        context.lineTo(x1 * scale, this.canvas.height - y1 * scale);
      }
      context.stroke();
    }
    context.setLineDash([]);
  }

  drawGrid(frame, colour) {
    const { context } = this;
    const count = frame.grid.length / 2;
    const side = frame.line ? count : Math.round(Math.sqrt(count));
    context.strokeStyle = colour;
    context.lineWidth = (frame.line ? 1.8 : 0.9) * this.pixel;
    context.globalAlpha = 0.75;
    context.beginPath();
    const go = (place, isFirst) => {
      const [x, y] = this.toPixels(frame.grid[2 * place], frame.grid[2 * place + 1]);
      if (isFirst) context.moveTo(x, y);
      else context.lineTo(x, y);
    };
    for (let row = 0; row < count / side; row += 1) for (let i = 0; i < side; i += 1) go(row * side + i, i === 0);
    if (!frame.line) for (let column = 0; column < side; column += 1) for (let i = 0; i < side; i += 1) go(i * side + column, i === 0);
    context.stroke();
    context.globalAlpha = 1;
  }

  drawTrail(trail, colour) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = 1.6 * this.pixel;
    for (let i = 1; i < trail.length; i += 1) {
      context.globalAlpha = 0.12 + (0.8 * i) / trail.length;
      context.beginPath();
      context.moveTo(...this.toPixels(...trail[i - 1]));
      context.lineTo(...this.toPixels(...trail[i]));
      context.stroke();
    }
    context.globalAlpha = 1;
    if (trail.length) {
      const [x, y] = this.toPixels(...trail[trail.length - 1]);
      context.beginPath();
      context.arc(x, y, 5 * this.pixel, 0, 7);
      context.lineWidth = 2 * this.pixel;
      context.stroke();
    }
  }

  /** Real points are discs, generated ones diamonds: shape says it too, not colour alone. */
  drawPoints(points, colour, edge, isReal) {
    const mark = this.markOf(colour, edge, isReal);
    const half = mark.width / 2;
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = this.toPixels(points[i], points[i + 1]);
      this.context.drawImage(mark, x - half, y - half);
    }
  }

  /** A point as a small picture, drawn once: three hundred copies of it cost less than three hundred shapes. */
  markOf(colour, edge, isReal) {
    const key = `${colour}${edge}${isReal}${this.pixel}`;
    if (!this.marks.has(key)) {
      const size = (isReal ? 2.6 : 3.4) * this.pixel;
      const mark = document.createElement("canvas");
      mark.width = mark.height = 2 * Math.ceil(size + 2 * this.pixel);
      const context = mark.getContext("2d");
      const half = mark.width / 2;
      context.fillStyle = colour;
      context.strokeStyle = edge;
      context.lineWidth = 0.7 * this.pixel;
      context.beginPath();
      if (isReal) context.arc(half, half, size, 0, 7);
      else {
        context.moveTo(half - size, half);
        context.lineTo(half, half - size);
        context.lineTo(half + size, half);
        context.lineTo(half, half + size);
        context.closePath();
      }
      context.fill();
      context.stroke();
      if (this.marks.size > 8) this.marks.clear(); // sizes of windows that were
      this.marks.set(key, mark);
    }
    return this.marks.get(key);
  }

  drawArrows(frame, { loss = "own", longest = 0 }, colours) {
    const { context } = this;
    const { arrows } = arrowsOf(frame, loss);
    const scale = (MOST_ARROW * this.unit) / (longest || longestOf(arrows) || 1);
    context.strokeStyle = colours.ink;
    context.fillStyle = colours.ink;
    context.lineWidth = 1.1 * this.pixel;
    context.globalAlpha = 0.85;
    for (let i = 0; i < arrows.length; i += 2) {
      const [x, y] = this.toPixels(frame.fake[i], frame.fake[i + 1]);
      let [dx, dy] = [arrows[i] * scale, -arrows[i + 1] * scale];
      const length = Math.hypot(dx, dy);
      if (length < 0.4 * this.pixel) continue;
      const most = MOST_ARROW * this.unit * 1.5;
      if (length > most) [dx, dy] = [(dx * most) / length, (dy * most) / length];
      arrow(context, x, y, dx, dy, Math.min(5 * this.pixel, 0.6 * Math.hypot(dx, dy)));
    }
    context.globalAlpha = 1;
  }

  drawBrushed(points, brush, colour) {
    const { context } = this;
    context.fillStyle = colour;
    context.globalAlpha = 0.3;
    for (const [x, y] of points) {
      const [across, down] = this.toPixels(x, y);
      context.beginPath();
      context.arc(across, down, Math.max(2 * this.pixel, brush * this.unit), 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  drawRings({ real, fake, told }, colours) {
    const { context } = this;
    context.lineWidth = 2.4 * this.pixel;
    for (const [point, colour] of [[real, colours.real], [fake, colours.fake]]) {
      if (!point) continue;
      const [x, y] = this.toPixels(...point);
      context.strokeStyle = colours.card;
      context.lineWidth = 5 * this.pixel;
      circle(context, x, y, 9 * this.pixel);
      context.strokeStyle = colour;
      context.lineWidth = 2.4 * this.pixel;
      circle(context, x, y, 9 * this.pixel);
      context.fillStyle = colour;
      circle(context, x, y, 3.4 * this.pixel, true);
    }
    if (told && fake) {
      const length = Math.hypot(...told);
      if (length > 0) {
        const [x, y] = this.toPixels(...fake);
        context.strokeStyle = colours.ink;
        context.fillStyle = colours.ink;
        const reach = 0.6 * this.unit;
        arrow(context, x, y, (-told[0] / length) * reach, (told[1] / length) * reach, 8 * this.pixel);
      }
    }
  }
}

/** Length that all but the longest tenth of arrows stay below: one wild arrow does not hide the others. */
export function longestOf(arrows) {
  const lengths = [];
  for (let i = 0; i < arrows.length; i += 2) lengths.push(Math.hypot(arrows[i], arrows[i + 1]));
  lengths.sort((a, b) => a - b);
  return lengths[Math.floor(0.9 * (lengths.length - 1))] ?? 0;
}

function arrow(context, x, y, dx, dy, head) {
  const [endX, endY] = [x + dx, y + dy];
  const angle = Math.atan2(dy, dx);
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(endX, endY);
  context.stroke();
  context.beginPath();
  context.moveTo(endX, endY);
  for (const turn of [2.6, -2.6]) context.lineTo(endX + head * Math.cos(angle + turn), endY + head * Math.sin(angle + turn));
  context.closePath();
  context.fill();
}

function circle(context, x, y, radius, isFilled = false) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  if (isFilled) context.fill();
  else context.stroke();
}
