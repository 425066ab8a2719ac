// Enlarges both images at the same point while one of them is pressed, or a key is held.

const TIMES = 3;
const STEP = 0.08;
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

export class Zoom {
  constructor(stage) {
    this.stage = stage;
    this.heldBy = null;
    this.pointer = null;
    this.spent = 0;
    const { element } = stage;
    element.addEventListener("pointerdown", (event) => this.#press(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      element.addEventListener(end, () => this.#endBy("pointer"));
    }
    // A long press must not open the browser's own menu over the images.
    element.addEventListener("contextmenu", (event) => { if (this.heldBy) event.preventDefault(); });
    document.addEventListener("pointermove", (event) => this.#move(event));
    window.addEventListener("blur", () => this.end());
    window.addEventListener("resize", () => this.end());
  }

  get isHeldByKey() {
    return this.heldBy === "key";
  }

  holdKey() {
    const point = this.#pointAt(this.pointer) ?? { x: 0.5, y: 0.5 };
    // During a break there is no pair to look at.
    if (!this.heldBy && this.boxes.left.width) this.#begin("key", point);
  }

  releaseKey() {
    this.#endBy("key");
  }

  // Move the point with an arrow key; return whether the key is one.
  nudge(key) {
    const [x, y] = ARROWS[key] ?? [];
    if (x !== undefined) this.#show({ x: this.point.x + x, y: this.point.y + y });
    return x !== undefined;
  }

  end() {
    this.#endBy(this.heldBy);
  }

  // Return how long the images have been enlarged since the last call.
  takeMs() {
    const running = this.heldBy ? performance.now() - this.since : 0;
    const ms = Math.round(this.spent + running);
    this.spent = 0;
    this.since = performance.now();
    return ms;
  }

  #press(event) {
    if (event.button !== 0 || !event.isPrimary || this.heldBy || !event.target.matches("img")) return;
    // Neither drag the image nor select it.
    event.preventDefault();
    this.#measure();
    const figure = event.target.closest("[data-side]");
    this.side = figure.dataset.side;
    figure.setPointerCapture(event.pointerId);
    this.#begin("pointer", this.#pointAt(event, this.side));
  }

  #move(event) {
    this.pointer = { clientX: event.clientX, clientY: event.clientY };
    if (!this.heldBy) return;
    const point = this.#pointAt(event, this.heldBy === "pointer" ? this.side : null);
    if (point) this.#show(point);
  }

  #begin(by, point) {
    this.#measure();
    this.heldBy = by;
    this.since = performance.now();
    this.stage.element.classList.add("is-zoomed");
    this.#show(point);
  }

  #endBy(by) {
    if (!by || this.heldBy !== by) return;
    this.spent += performance.now() - this.since;
    this.heldBy = null;
    this.stage.element.classList.remove("is-zoomed");
    for (const image of this.#images()) image.style.transform = image.style.transformOrigin = "";
  }

  // Where the images stand while they are not enlarged.
  #measure() {
    if (this.heldBy) return;
    this.boxes = {};
    for (const [side, figure] of Object.entries(this.stage.figures)) {
      this.boxes[side] = figure.querySelector("img").getBoundingClientRect();
    }
  }

  // Return the point as shares of the image's width and height; null for a pointer that is over neither image.
  #pointAt(pointer, side = null) {
    this.#measure();
    if (!pointer) return null;
    const name = side ?? Object.keys(this.boxes).find((at) => isInside(this.boxes[at], pointer));
    const box = this.boxes[name];
    return box ? { x: (pointer.clientX - box.left) / box.width, y: (pointer.clientY - box.top) / box.height } : null;
  }

  #show({ x, y }) {
    this.point = { x: within(x), y: within(y) };
    const times = this.#times();
    for (const image of this.#images()) {
      image.style.transformOrigin = `${this.point.x * 100}% ${this.point.y * 100}%`;
      image.style.transform = `scale(${times})`;
    }
  }

  // One image pixel on one device pixel where that enlarges enough, else three times.
  #times() {
    const whole = this.stage.pair.width / (this.boxes.left.width * window.devicePixelRatio);
    return whole >= 2 ? whole : TIMES;
  }

  #images() {
    return Object.values(this.stage.figures).map((figure) => figure.querySelector("img"));
  }
}

function within(share) {
  return Math.min(1, Math.max(0, share));
}

function isInside(box, { clientX, clientY }) {
  return clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom;
}
