// The page: a picture is drawn, dropped, chosen or pasted; a reader reads it; one goes back and forth in time.

import { Bars, Beliefs, Chart, percent } from "./beliefs.js";
import { Drawing } from "./drawing.js";
import { Picture, SMOOTH } from "./picture.js";
import * as reader from "./reader.js";

const PLAY = "M4 2.5v11l9.5-5.5z";
const PAUSE = "M4 2.5h3v11H4zM9 2.5h3v11H9z";
const SEES = { tokens: "What the network has read", glimpses: "Where the network looks", end: "What the network sees" };
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const $ = (id) => document.getElementById(id);
const show = (id, visible) => ($(id).hidden = !visible);

let facts, drawing, picture, bars, chart;
let file = null; // the picture that was given as a file
let beliefs = null; // of the picture that was read last
let time = 1;
let playing = null; // the animation frame
let running = null; // the AbortController of the request that is waited for
let drawingIsRead = false;
let waiting = false; // for that: the drawing has changed since
let work = 0; // how much is being done

start().catch((error) => {
  $("network").textContent = "";
  complain(error);
});

async function start() {
  facts = await reader.facts();
  document.title = `${facts.title} · rnnvision`;
  $("title").textContent = facts.title;
  $("network").textContent = [facts.network, facts.tokens && scanned(), `${facts.classes.length} classes`]
    .filter(Boolean)
    .join(" · ");
  $("where").textContent = reader.WHERE;
  picture = new Picture($("picture"), facts);
  bars = new Bars($("bars"), facts.classes);
  chart = new Chart($("chart"), plural(2), (t) => (pause(), seek(t)));
  if (facts.drawing) prepareDrawing();
  $("sees-title").textContent = SEES[facts.mode];
  $("invitation").textContent = facts.drawing ? "Draw here, or drop an image" : "Drop or paste an image here";
  show("scrub", facts.mode !== "end");
  show("why", facts.why !== null);
  $("why").textContent = facts.why ?? "";
  $("play-shape").setAttribute("d", PLAY);
  $("time").disabled = $("play").disabled = true;
  listen();
  document.body.classList.add("ready");
  show("example", (await reader.examples()) > 0);
}

function scanned() {
  const [, height, width] = facts.shape;
  const { height: h, width: w, order } = facts.tokens;
  const size =
    h === 1 && w === 1 ? "" : ` of ${w === width || h === 1 ? w : h === height || w === 1 ? h : `${h} × ${w}`} pixels`;
  return `reads ${order.length} ${plural(order.length)}${size}`;
}

const plural = (n) => (facts.unit === "patch" && n !== 1 ? "patches" : `${facts.unit}${n === 1 ? "" : "s"}`);

function prepareDrawing() {
  const [, height, width] = facts.shape;
  $("drawing").style.aspectRatio = `${width} / ${height}`;
  for (const id of ["drawing", "centre-row"]) show(id, true);
  drawing = new Drawing($("drawing"), facts, () => {
    file = null;
    for (const id of ["given", "invitation"]) show(id, false);
    for (const id of ["centre-row", "undo", "clear"]) show(id, true);
    show("invert-row", false);
    readDrawing();
  });
  $("centre").checked = drawing.centred;
}

function listen() {
  $("undo").onclick = undo;
  $("clear").onclick = clear;
  $("example").onclick = tryExample;
  $("file").onchange = () => ($("file").files.length && give($("file").files[0]), ($("file").value = ""));
  $("centre").onchange = () => ((drawing.centred = $("centre").checked), drawing.isEmpty || readDrawing());
  $("invert").onchange = () => file && readFile(String($("invert").checked));
  $("play").onclick = () => (playing ? pause() : play());
  $("time").oninput = () => beliefs && (pause(), seek($("time").valueAsNumber));
  addEventListener("keydown", pressed);
  addEventListener("paste", (event) => giveFirst(event.clipboardData, event));
  addEventListener("dragover", (event) => (event.preventDefault(), document.body.classList.add("drop")));
  addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("drop"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("drop");
    giveFirst(event.dataTransfer, event);
  });
}

function pressed(event) {
  const typing = event.target.matches("input, button, label");
  if ((event.key === "z" && (event.ctrlKey || event.metaKey)) || (event.key === "Backspace" && !typing)) undo();
  else if (event.key === "Escape") clear();
  else if (event.key === " " && !typing && beliefs) playing ? pause() : play();
  else return;
  event.preventDefault();
}

function giveFirst(transfer, event) {
  const found = transfer?.files?.[0];
  if (found) give(found);
  else if (event.type === "drop") complain(new Error("that is no file; save the image, and drop the file"));
}

function give(blob) {
  file = blob;
  drawing?.clear();
  look(URL.createObjectURL(blob));
  readFile("auto");
}

// Show the picture itself in place of the drawing; of some formats the browser can show none.
function look(address) {
  const image = $("given");
  if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
  image.onload = () => (image.classList.toggle("small", image.naturalWidth < SMOOTH), show("given", true));
  image.onerror = () => show("given", false);
  image.src = address;
  show("invitation", false);
  show("clear", true);
  for (const id of ["centre-row", "undo"]) show(id, false);
}

async function readFile(invert) {
  const reading = await request((signal) => reader.read(file, invert, signal));
  if (!reading) return;
  const grey = facts.shape[0] === 1;
  show("invert-row", grey);
  $("invert").checked = reading.inverted;
  accept(reading, true);
}

async function tryExample() {
  const reading = await request((signal) => reader.example(signal));
  if (!reading) return;
  file = null;
  drawing?.clear();
  show("invert-row", false);
  picture.show(reading);
  look(await addressOf(picture.small));
  accept(reading, true);
}

// While one drawing is being read the next one waits, and those in between are left out.
async function readDrawing() {
  if (drawingIsRead) return (waiting = true);
  drawingIsRead = true;
  busy(1);
  do {
    waiting = false;
    const image = drawing.isEmpty ? null : await drawing.image();
    const reading = image && !drawing.isEmpty && (await request((signal) => reader.read(image, "false", signal)));
    if (reading && !drawing.isEmpty) accept(reading, false);
  } while (waiting);
  drawingIsRead = false;
  busy(-1);
}

// What a reader gives, or null when another picture has taken this one's place, or it cannot be read.
async function request(ask) {
  running?.abort();
  const mine = (running = new AbortController());
  show("message", false);
  busy(1);
  try {
    const found = await ask(mine.signal);
    return running === mine ? found : null;
  } catch (error) {
    if (running === mine && error.name !== "AbortError") (forget(), complain(error));
    return null;
  } finally {
    if (running === mine) running = null;
    busy(-1);
  }
}

function accept(reading, animated) {
  beliefs = new Beliefs(reading, facts.classes);
  picture.show(reading);
  show("history", facts.mode !== "end");
  chart.show(beliefs);
  $("time").max = beliefs.times;
  $("time").disabled = $("play").disabled = false;
  $("settled").textContent = settled();
  const final = beliefs.best(beliefs.times);
  $("chip").textContent = `${facts.classes[final]} · ${percent(beliefs.at(beliefs.times)[final])}`;
  show("truth", reading.truth !== undefined);
  if (reading.truth !== undefined) $("truth").textContent = `This is ${reading.name}; its class is ${reading.truth}.`;
  pause();
  if (animated && facts.mode !== "end" && !calm.matches) play();
  else seek(beliefs.times);
}

function settled() {
  if (facts.mode === "end") return "";
  const answer = facts.classes[beliefs.best(beliefs.times)];
  const { settled: since, times } = beliefs;
  const sure = percent(beliefs.at(times)[beliefs.best(times)]);
  const first = since === 1 ? `the first ${facts.unit}` : `${facts.unit} ${since} of ${times}`;
  const when = since === times ? `the last ${facts.unit} decided` : `the same from ${first} on`;
  return `Final answer ${answer}, ${sure}; ${when}.`;
}

function seek(t) {
  time = t;
  picture.at(t);
  chart.at(t);
  bars.show(beliefs.at(t));
  const best = beliefs.best(t);
  $("label").textContent = $("label").title = facts.classes[best];
  $("answer").classList.remove("empty");
  $("answer").classList.toggle("long", facts.classes[best].length > 8);
  $("probability").textContent = percent(beliefs.at(t)[best]);
  $("answer").classList.toggle("final", best === beliefs.best(beliefs.times));
  const steps = `${t} of ${beliefs.times} ${plural(beliefs.times)}`;
  $("time").value = t;
  $("time").setAttribute("aria-valuetext", `${steps}: ${facts.classes[best]}`);
  $("clock").textContent = steps;
  $("when").textContent = facts.mode === "end" ? "" : `after ${steps}`;
  picture.canvas.setAttribute(
    "aria-label",
    facts.mode === "end" ? "The image as the network sees it" : `${steps} read`,
  );
}

function play() {
  const from = time >= beliefs.times ? 1 : time;
  const duration = Math.min(Math.max(70 * beliefs.times, 900), 5000);
  const begun = performance.now() - ((from - 1) / beliefs.times) * duration;
  $("play-shape").setAttribute("d", PAUSE);
  $("play").setAttribute("aria-label", "Pause");
  const frame = (now) => {
    const t = Math.min(1 + Math.floor(((now - begun) / duration) * beliefs.times), beliefs.times);
    seek(Math.max(t, 1));
    playing = t < beliefs.times ? requestAnimationFrame(frame) : pause();
  };
  playing = requestAnimationFrame(frame);
}

function pause() {
  if (playing) cancelAnimationFrame(playing);
  $("play-shape").setAttribute("d", PLAY);
  $("play").setAttribute("aria-label", "Play");
  return (playing = null);
}

function undo() {
  if (!drawing || drawing.isEmpty) return;
  drawing.undo();
  drawing.isEmpty ? clear() : readDrawing();
}

function clear() {
  running?.abort();
  running = file = null;
  drawing?.clear();
  forget();
  show("given", false);
  show("invitation", true);
  show("centre-row", Boolean(drawing));
  for (const id of ["undo", "clear", "invert-row", "message"]) show(id, false);
}

// Nothing is read: as the page began.
function forget() {
  pause();
  beliefs = null;
  picture.clear();
  chart.show(null);
  bars.clear();
  $("time").disabled = $("play").disabled = true;
  for (const id of ["chip", "probability", "settled", "clock", "when"]) $(id).textContent = "";
  $("label").textContent = "?";
  $("answer").className = "answer empty";
  for (const id of ["truth", "history"]) show(id, false);
}

const busy = (more) => document.body.classList.toggle("busy", (work += more) > 0);

function complain(error) {
  $("message").textContent = error.message;
  show("message", true);
}

const addressOf = async (canvas) => URL.createObjectURL(await canvas.convertToBlob());
