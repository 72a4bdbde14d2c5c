// The reader of an exported folder: the network is a graph that onnxruntime runs in this page. See reader.js.

import * as ort from "./ort.js";
import { open } from "./opening.js";

export const WHERE = "The network runs in this page: no image leaves your browser.";

const here = (name) => new URL(name, import.meta.url).href;
let known, session;
let last = Promise.resolve(); // a session runs one picture at a time

export async function facts() {
  ort.env.wasm.numThreads = 1; // more would need headers that servers of files do not send
  ort.env.wasm.wasmPaths = { wasm: here("ort.wasm") };
  const loading = ort.InferenceSession.create(here("model.onnx"), { executionProviders: ["wasm"] });
  known = await (await fetch(here("facts.json"))).json();
  session = await loading;
  return known;
}

export async function read(blob, invert, signal) {
  const { seen, inverted } = await open(blob, known, invert);
  signal.throwIfAborted();
  const pixels = new ort.Tensor(
    "float32",
    Float32Array.from(seen, (v) => v / 255),
    [1, ...known.shape],
  );
  const answer = last.then(() => session.run({ pixels }));
  last = answer.catch(() => {});
  const { probabilities, attention } = await answer;
  return { seen, inverted, probabilities: probabilities.data, attention: attention?.data ?? null };
}

export const examples = async () => 0;
