/** Drawing data on the plane with the mouse, a finger, or the keyboard. */

const APART = 0.06; // least distance of two points of a stroke, in the plane's units
const MOST = 600;
const KEY_STEP = 0.15;

export class Brush {
  /**
   * @param {import("./game-view.js").GameView} view
   * @param {() => number} width standard deviation of a point
   * @param {(points: number[][]) => void} onDone called at the end of each stroke with all points
   */
  constructor(view, width, onDone) {
    this.view = view;
    this.width = width;
    this.onDone = onDone;
    this.points = [];
    this.cursor = [0, 0];
    this.isOn = false;
    this.isDown = false;
    const { canvas } = view;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.up());
    canvas.addEventListener("keydown", (event) => this.key(event));
    // Without this a stroke that ends in a flick counts as a scroll that goes on, and the next tap only ends it.
    const mine = (event) => this.isOn && event.preventDefault();
    for (const name of ["touchstart", "touchmove"]) canvas.addEventListener(name, mine, { passive: false });
  }

  /** Begin or end drawing; the first stroke begins with an empty plane. */
  turn(isOn) {
    this.isOn = isOn;
    this.view.canvas.classList.toggle("drawing", isOn);
    if (isOn) this.points = [];
    this.view.drawn = isOn ? this.points : null;
    this.view.brush = this.width();
    this.view.redraw();
  }

  down(event) {
    if (!this.isOn || event.button > 0) return;
    event.preventDefault();
    this.isDown = true;
    this.view.canvas.setPointerCapture(event.pointerId);
    this.add(this.view.plane.toPoint(event.clientX, event.clientY));
  }

  moved(event) {
    if (!this.isDown) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.add(this.view.plane.toPoint(each.clientX, each.clientY));
  }

  up() {
    if (!this.isDown) return;
    this.isDown = false;
    this.onDone(this.points);
  }

  /** With the keyboard: arrows move a place, the space bar or Enter puts a point there. */
  key(event) {
    if (!this.isOn) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (moves[event.key]) {
      this.cursor = this.cursor.map((value, at) => value + KEY_STEP * moves[event.key][at]);
      this.view.followed = { real: this.cursor };
    } else if (event.key === " " || event.key === "Enter") {
      this.add([...this.cursor], true);
      this.onDone(this.points);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    this.view.redraw();
  }

  add(point, isForced = false) {
    const last = this.points[this.points.length - 1];
    if (this.points.length >= MOST) return;
    if (!isForced && last && Math.hypot(point[0] - last[0], point[1] - last[1]) < APART) return;
    this.points.push(point);
    this.view.brush = this.width();
    this.view.redraw();
  }
}
