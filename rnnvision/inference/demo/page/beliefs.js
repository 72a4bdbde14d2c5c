// Beliefs: probabilities (T, K) of K classes after each of T steps; their bars at a time, and their course.

const MOST_BARS = 10;
const MOST_LINES = [3, 5]; // on a narrow chart, on a wide one
const NARROW = 500; // pixels
const WORTH_A_LINE = 0.15; // the largest probability of a class that gets a line of its own
const SVG = "http://www.w3.org/2000/svg";

export class Beliefs {
  constructor(reading, classes) {
    Object.assign(this, {
      classes,
      values: reading.probabilities,
      times: reading.probabilities.length / classes.length,
    });
  }

  // After `time` steps, 1 to T.
  at(time) {
    const size = this.classes.length;
    return this.values.subarray((time - 1) * size, time * size);
  }

  best(time) {
    const values = this.at(time);
    return values.indexOf(Math.max(...values));
  }

  // The number of steps after which the answer stayed the same.
  get settled() {
    let time = this.times;
    while (time > 1 && this.best(time - 1) === this.best(this.times)) time--;
    return time;
  }

  // At most so many classes, by their largest probability at any time, the final answer first.
  lines(count) {
    const most = this.classes.map((_, k) => {
      let found = 0;
      for (let t = 1; t <= this.times; t++) found = Math.max(found, this.at(t)[k]);
      return found;
    });
    const answer = this.best(this.times);
    const others = most.map((_, k) => k).filter((k) => k !== answer && most[k] >= WORTH_A_LINE);
    return [answer, ...others.sort((a, b) => most[b] - most[a]).slice(0, count - 1)];
  }
}

export const percent = (p) => `${p > 0.9995 && p < 1 ? "> 99.9" : (100 * p).toFixed(1)} %`;

// Bars of all classes in their order, or, of many, of the likeliest.
export class Bars {
  constructor(list, classes) {
    this.classes = classes;
    list.classList.toggle("many", classes.length > MOST_BARS); // their names come and go
    this.rows = Array.from({ length: Math.min(classes.length, MOST_BARS) }, () => {
      const row = list.appendChild(element("li"));
      const [name, track, value] = ["name", "track", "value"].map((kind) => row.appendChild(element("span", kind)));
      return { row, name, bar: track.appendChild(element("span", "bar")), value };
    });
    this.clear();
  }

  show(values) {
    const order = this.#order(values);
    const most = Math.max(...values);
    this.rows.forEach((parts, i) => {
      const k = order[i];
      this.#name(parts, k);
      parts.bar.style.width = `${100 * values[k]}%`;
      parts.value.textContent = percent(values[k]);
      parts.row.classList.toggle("best", values[k] === most);
    });
  }

  clear() {
    this.rows.forEach((parts, i) => {
      this.#name(parts, this.classes.length > MOST_BARS ? undefined : i);
      parts.bar.style.width = "0";
      parts.value.textContent = "";
      parts.row.classList.remove("best");
    });
  }

  #name(parts, k) {
    parts.name.textContent = parts.name.title = k === undefined ? "" : this.classes[k];
  }

  #order(values) {
    const all = [...this.classes.keys()];
    return this.classes.length > MOST_BARS ? all.sort((a, b) => values[b] - values[a]) : all;
  }
}

// The course of the likeliest classes; a click or a drag sets the time.
export class Chart {
  // steps: what they are called.
  constructor(svg, steps, seek) {
    Object.assign(this, { svg, steps, beliefs: null, time: 1 });
    new ResizeObserver(() => this.render()).observe(svg);
    const move = (event) => this.beliefs && seek(this.#timeAt(event.clientX));
    svg.addEventListener("pointerdown", (event) => (svg.setPointerCapture(event.pointerId), move(event)));
    svg.addEventListener("pointermove", (event) => event.buttons && move(event));
  }

  show(beliefs) {
    this.beliefs = beliefs;
    this.render();
  }

  at(time) {
    this.time = time;
    if (this.beliefs && this.cursor) this.#point();
  }

  render() {
    const { svg, beliefs } = this;
    const { width, height } = svg.getBoundingClientRect();
    svg.replaceChildren();
    if (!beliefs || !width) return;
    const box = { left: 52, right: width - 76, top: 14, bottom: height - 30 };
    this.x = (t) => box.left + ((t - 1) / Math.max(beliefs.times - 1, 1)) * (box.right - box.left);
    this.y = (p) => box.bottom - p * (box.bottom - box.top);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const p of [0, 0.5, 1]) {
      this.#add("line", "grid", { x1: box.left, x2: box.right, y1: this.y(p), y2: this.y(p) });
      this.#text(`${100 * p} %`, "axis end", box.left - 8, this.y(p) + 4);
    }
    for (const t of ticks(beliefs.times, width)) this.#text(t, "axis middle", this.x(t), box.bottom + 17);
    this.#text(this.steps, "axis", box.right + 18, box.bottom + 17);
    this.lines = beliefs.lines(MOST_LINES[width < NARROW ? 0 : 1]);
    this.lines.toReversed().forEach((k, i) => this.#line(k, this.lines.length - 1 - i));
    this.#settled(box);
    this.cursor = this.#add("line", "cursor", { y1: box.top, y2: box.bottom });
    this.dots = this.lines.map((_, i) => this.#add("circle", `dot class-${i}`, { r: i ? 3.5 : 5 }));
    this.#names();
    this.#point();
  }

  #points(k) {
    return Array.from({ length: this.beliefs.times }, (_, t) => [this.x(t + 1), this.y(this.beliefs.at(t + 1)[k])]);
  }

  #line(k, i) {
    const points = this.#points(k).map((p) => p.map((v) => v.toFixed(1)).join());
    this.#add("polyline", `course class-${i}`, { points: points.join(" ") });
  }

  // The final answer is named at its end, another class at its height, above the names that are there already.
  #names() {
    const taken = [];
    this.lines.forEach((k, i) => {
      const points = this.#points(k);
      const [x, top] = i ? points.reduce((a, b) => (b[1] < a[1] ? b : a)) : points.at(-1);
      const atEnd = i === 0 || x >= points.at(-1)[0];
      const label = this.#text(
        shortened(this.beliefs.classes[k]),
        `name class-${i}`,
        atEnd ? x + 9 : x,
        atEnd ? top + 5 : top - 8,
      );
      if (!atEnd) label.classList.add("middle");
      const over = label.getBBox().x + label.getBBox().width - this.svg.clientWidth;
      if (over > 0) label.setAttribute("x", Number(label.getAttribute("x")) - over - 2);
      const box = label.getBBox();
      const overlaps = () =>
        taken.find((o) => box.x < o.x + o.width && o.x < box.x + box.width && Math.abs(box.y - o.y) < o.height);
      for (let other = overlaps(); other; other = overlaps()) box.y = other.y - other.height;
      if (box.y < 0 && i) return label.remove();
      label.setAttribute("y", Number(label.getAttribute("y")) + box.y - label.getBBox().y);
      taken.push(box);
    });
  }

  #settled(box) {
    const { beliefs, x } = this;
    if (beliefs.settled === 1) return;
    this.#add("line", "settled", { x1: x(beliefs.settled), x2: x(beliefs.settled), y1: box.top, y2: box.bottom });
  }

  #point() {
    const { beliefs, cursor, dots, time, x, y } = this;
    cursor.setAttribute("x1", x(time));
    cursor.setAttribute("x2", x(time));
    this.lines.forEach((k, i) => {
      dots[i].setAttribute("cx", x(time));
      dots[i].setAttribute("cy", y(beliefs.at(time)[k]));
    });
  }

  #timeAt(clientX) {
    const left = this.svg.getBoundingClientRect().left;
    const share = (clientX - left - this.x(1)) / (this.x(this.beliefs.times) - this.x(1));
    return Math.round(1 + Math.min(Math.max(share, 0), 1) * (this.beliefs.times - 1));
  }

  #add(kind, name, attributes) {
    const node = document.createElementNS(SVG, kind);
    node.setAttribute("class", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return this.svg.appendChild(node);
  }

  #text(text, name, x, y) {
    const label = this.#add("text", name, { x, y });
    label.textContent = text;
    return label;
  }
}

function ticks(times, width) {
  const most = Math.max(2, Math.floor(width / 90));
  const step = [1, 2, 5]
    .flatMap((n) => [n, 10 * n, 100 * n, 1000 * n])
    .sort((a, b) => a - b)
    .find((n) => times / n <= most);
  const found = [1, ...Array.from({ length: Math.floor(times / step) }, (_, i) => (i + 1) * step)];
  return [...new Set([...found.filter((t) => times - t > step / 2 && (t === 1 || t - 1 > step / 2)), times])];
}

const shortened = (name) => (name.length > 12 ? `${name.slice(0, 11)}…` : name);

function element(kind, name) {
  const node = document.createElement(kind);
  if (name) node.className = name;
  return node;
}
