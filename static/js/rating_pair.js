// One trial's two images: fetched and decoded before it is their turn, placed in one go, as large as fits.

const SIDES = ["left", "right"];

export class Pair {
  constructor(trial) {
    Object.assign(this, trial);
    this.#load();
  }

  // Wait until both images can be painted. A failed image is fetched once more; then this rejects.
  async ready() {
    if (this.isDecoded) return;
    try {
      await this.decoded;
    } catch {
      await this.again();
    }
  }

  async again() {
    this.#load();
    await this.decoded;
  }

  #load() {
    this.isDecoded = false;
    this.images = {};
    for (const side of SIDES) {
      const image = new Image(this.width, this.height);
      // Painted together with what stands around it: both images in one frame.
      image.decoding = "sync";
      image.draggable = false;
      image.src = this[side];
      this.images[side] = image;
    }
    this.decoded = Promise.all(SIDES.map((side) => this.images[side].decode())).then(() => { this.isDecoded = true; });
    this.decoded.catch(() => {}); // Told to the rater when it is this pair's turn.
  }
}

export class Stage {
  constructor(element) {
    this.element = element;
    this.figures = Object.fromEntries(SIDES.map((side) => [side, element.querySelector(`[data-side=${side}]`)]));
    this.alts = Object.fromEntries(SIDES.map((side) => [side, this.figures[side].querySelector("img").alt]));
    this.scaling = element.dataset.scaling;
    new ResizeObserver(() => this.fit()).observe(element);
  }

  place(pair) {
    this.pair = pair;
    this.isPixelated = this.scaling === "pixelated" || (this.scaling === "auto" && pair.width <= 128);
    this.element.classList.toggle("is-pixelated", this.isPixelated);
    for (const side of SIDES) {
      pair.images[side].alt = this.alts[side];
      this.figures[side].replaceChildren(pair.images[side]);
    }
    this.fit();
  }

  // Pixelated images grow by whole device pixels, so that every pixel of theirs is equally large.
  fit() {
    if (!this.pair) return;
    const { width, height, images } = this.pair;
    const room = Math.min(
      ...Object.values(this.figures).flatMap((box) => [box.clientWidth / width, box.clientHeight / height]),
    );
    const ratio = window.devicePixelRatio;
    const whole = Math.floor(room * ratio) / ratio;
    const times = this.isPixelated && whole > 0 ? whole : room;
    for (const image of Object.values(images)) {
      image.style.width = `${width * times}px`;
      image.style.height = `${height * times}px`;
    }
  }
}
