// What the network has read of an image so far: the tokens in their order, or the glimpses that it took.

export const SMOOTH = 96; // images from this size on are shown smoothly, smaller ones pixel by pixel

export class Picture {
  constructor(canvas, facts) {
    Object.assign(this, { canvas, facts, reading: null, time: 0 });
    const [, height, width] = facts.shape;
    canvas.style.aspectRatio = `${width} / ${height}`;
    this.small = new OffscreenCanvas(width, height);
    new ResizeObserver(() => this.render()).observe(canvas);
  }

  show(reading) {
    this.reading = reading;
    const [channels, height, width] = this.facts.shape;
    const pixels = new ImageData(width, height);
    for (let i = 0; i < height * width; i++) {
      const at = (c) => reading.seen[Math.min(c, channels - 1) * height * width + i];
      pixels.data.set([at(0), at(1), at(2), 255], 4 * i);
    }
    this.small.getContext("2d").putImageData(pixels, 0, 0);
  }

  clear() {
    this.reading = null;
    this.render();
  }

  // time: so many tokens are read, or so many glimpses taken.
  at(time) {
    this.time = time;
    this.render();
  }

  render() {
    const [, height, width] = this.facts.shape;
    const { canvas } = this;
    canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
    canvas.height = Math.round((canvas.width * height) / width);
    if (!canvas.width) return;
    const context = canvas.getContext("2d");
    const scale = canvas.width / width;
    const style = getComputedStyle(canvas);
    const [unread, now] = ["--unread", "--now"].map((name) => style.getPropertyValue(name));
    if (!this.reading) {
      context.fillStyle = unread;
      context.fillRect(0, 0, canvas.width, canvas.height);
      return;
    }
    context.imageSmoothingEnabled = Math.max(width, height) >= SMOOTH;
    context.drawImage(this.small, 0, 0, canvas.width, canvas.height);
    if (this.facts.mode === "tokens") this.#tokens(context, scale, unread, now);
    if (this.reading.attention) this.#glimpse(context, scale);
  }

  #tokens(context, scale, unread, now) {
    const { height, width, columns, margin, order } = this.facts.tokens;
    const edge = (v) => Math.round(v * scale);
    const rectangle = (cell) => {
      const [x, y] = [margin + (cell % columns) * width, margin + Math.floor(cell / columns) * height];
      return [edge(x), edge(y), edge(x + width) - edge(x), edge(y + height) - edge(y)];
    };
    if (this.time >= order.length) return;
    context.fillStyle = unread;
    for (let t = this.time; t < order.length; t++) context.fillRect(...rectangle(order[t]));
    if (this.time) {
      context.strokeStyle = now;
      context.lineWidth = Math.max(2, 1.5 * devicePixelRatio);
      const [x, y, w, h] = rectangle(order[this.time - 1]);
      const half = context.lineWidth / 2;
      context.strokeRect(x + half, y + half, Math.max(w - 2 * half, 1), Math.max(h - 2 * half, 1));
    }
  }

  // What a glimpse weighs little lies in the dark.
  #glimpse(context, scale) {
    const [, height, width] = this.facts.shape;
    const weights = this.reading.attention.subarray((this.time - 1) * height * width, this.time * height * width);
    const most = weights.reduce((a, b) => Math.max(a, b), 0);
    const veil = new ImageData(width, height);
    weights.forEach((weight, i) => veil.data.set([20, 24, 32, Math.round(225 * (1 - weight / most))], 4 * i));
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d").putImageData(veil, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, 0, 0, width * scale, height * scale);
  }
}
