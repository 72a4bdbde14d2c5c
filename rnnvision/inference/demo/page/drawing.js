// The drawing: strokes in units of the canvas, drawn as the training images look, and given as such an image.

const FINE = 8; // sub-pixels a side of each pixel of the image
const MOST_ENLARGED = 4; // a dot is not blown up to the size of a digit

export class Drawing {
  // facts: of the network; changed: called while and after drawing, with whether the stroke has ended.
  constructor(canvas, facts, changed) {
    Object.assign(this, { canvas, facts, changed, strokes: [], centred: facts.drawing.box !== null });
    [this.ink, this.paper] = facts.dark ? ["#fff", "#000"] : ["#000", "#fff"];
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#go(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.#end());
    new ResizeObserver(() => this.render()).observe(canvas);
  }

  get isEmpty() {
    return this.strokes.length === 0;
  }

  undo() {
    this.strokes.pop();
    this.render();
  }

  clear() {
    this.strokes = [];
    this.render();
  }

  render() {
    const side = Math.round(this.canvas.clientWidth * devicePixelRatio);
    const [, height, width] = this.facts.shape;
    if (!side) return;
    this.canvas.width = side;
    this.canvas.height = Math.round((side * height) / width);
    const context = this.canvas.getContext("2d");
    paint(context, this.strokes, side, (p) => [p.x * side, p.y * side], this.facts.drawing.pen, this.ink, this.paper);
  }

  // The image as a PNG file of the size that the network reads.
  async image() {
    const [, height, width] = this.facts.shape;
    let grey = this.#rendered(this.centred ? this.#boxed() : (p) => [p.x, p.y]);
    if (this.centred) {
      const [x, y] = centreOfMass(grey, width, height);
      const boxed = this.#boxed();
      grey = this.#rendered((p) => [boxed(p)[0] + 0.5 - x, boxed(p)[1] + height / width / 2 - y]);
    }
    const canvas = new OffscreenCanvas(width, height);
    const pixels = new ImageData(width, height);
    grey.forEach((value, i) => {
      const level = Math.round(this.facts.dark ? value : 255 - value);
      pixels.data.set([level, level, level, 255], 4 * i);
    });
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    return canvas.convertToBlob({ type: "image/png" });
  }

  // A map that puts all strokes into the middle, in a box of the usual size.
  #boxed() {
    const [, height, width] = this.facts.shape;
    const { pen, box } = this.facts.drawing;
    const points = this.strokes.flat();
    const [xs, ys] = [points.map((p) => p.x), points.map((p) => p.y)];
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const scale = Math.min(((box ?? 0.9) - pen) / Math.max(right - left, bottom - top, 1e-6), MOST_ENLARGED);
    const middle = height / width / 2;
    return (p) => [0.5 + (p.x - (left + right) / 2) * scale, middle + (p.y - (top + bottom) / 2) * scale];
  }

  // How much ink lies on each pixel, 0 to 255: the mean of its sub-pixels.
  #rendered(map) {
    const [, height, width] = this.facts.shape;
    const canvas = new OffscreenCanvas(width * FINE, height * FINE);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const scale = width * FINE;
    const place = (p) => map(p).map((v) => v * scale);
    paint(context, this.strokes, scale, place, this.facts.drawing.pen, "#fff", "#000");
    const fine = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const grey = new Float32Array(width * height);
    for (let i = 0; i < fine.length / 4; i++) {
      const [x, y] = [i % canvas.width, Math.floor(i / canvas.width)];
      grey[Math.floor(y / FINE) * width + Math.floor(x / FINE)] += fine[4 * i] / FINE ** 2;
    }
    return grey;
  }

  #begin(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.drawsWith = event.pointerId;
    this.strokes.push([this.#point(event)]);
    this.render();
    this.changed(false);
  }

  #go(event) {
    if (this.drawsWith !== event.pointerId) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.strokes.at(-1).push(this.#point(each));
    this.render();
    this.changed(false);
  }

  #end() {
    if (this.drawsWith === undefined) return;
    this.drawsWith = undefined;
    this.changed(true);
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.width };
  }
}

function paint(context, strokes, scale, place, pen, ink, paper) {
  context.fillStyle = paper;
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  Object.assign(context, { strokeStyle: ink, lineWidth: pen * scale, lineCap: "round", lineJoin: "round" });
  for (const stroke of strokes) {
    context.beginPath();
    stroke.forEach((p, i) => (i ? context.lineTo(...place(p)) : context.moveTo(...place(p))));
    if (stroke.length === 1) context.lineTo(...place(stroke[0])); // a dot
    context.stroke();
  }
}

// In shares of the width, as points are.
function centreOfMass(grey, width, height) {
  let [sum, x, y] = [1e-9, 0, 0];
  grey.forEach((value, i) => {
    sum += value;
    x += value * ((i % width) + 0.5);
    y += value * (Math.floor(i / width) + 0.5);
  });
  return [x / sum / width, y / sum / width];
}
