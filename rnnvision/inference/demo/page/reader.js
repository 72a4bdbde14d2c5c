// The reader of the local server. It has the interface of reader_in_browser.js, which takes its place in an exported
// folder: facts(), read(blob, invert, signal), examples() and example(signal); what they throw is for people to read.

export const WHERE = "Images are read by the server on this machine, and are not kept.";

export const facts = () => answer(fetch("facts"));

// invert: "auto", "true" or "false". Gives { seen, inverted, probabilities, attention }, see reading.py.
export async function read(blob, invert, signal) {
  return opened(await answer(fetch(`reading?invert=${invert}`, { method: "POST", body: blob, signal })));
}

// How many test images there are on this machine.
export const examples = async () => (await answer(fetch("examples"))).count;

// One of the test images, with its name and its true class.
export async function example(signal) {
  return opened(await answer(fetch("example", { signal })));
}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer; is rnnvision demo still running?");
  }
  const type = response.headers.get("content-type") ?? "";
  const found = type.startsWith("application/json") ? await response.json() : { error: await response.text() };
  if (!response.ok) throw new Error(found.error || `the server answers ${response.status}`);
  return found;
}

function opened(found) {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);
  return {
    ...found,
    seen: bytes(found.seen),
    probabilities: floats(found.probabilities),
    attention: found.attention === null ? null : floats(found.attention),
  };
}
