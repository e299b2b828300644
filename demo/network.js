/**
 * The trained network in the browser: loaded once, when first needed; asked with batches of images.
 */

import { PlainError } from './decode.js';

/** The folder this module lies in; everything is fetched from here and from nowhere else. */
const HERE = new URL('.', import.meta.url);

/** Numbers in one image. */
const IMAGE = 28 * 28 * 3;

/**
 * @typedef {object} Network
 * @property {object} manifest what `python -m tools.demo.export_demo` wrote beside the model
 * @property {(images: Uint8Array[]) => Promise<Raw>} run asks the network, once for each image
 * @property {object} ort the runtime
 *
 * @typedef {object} Raw
 * @property {Float32Array} probabilities one row of seven for each image
 * @property {Float32Array} [strangeness] one number for each image; the small network's
 *
 * @typedef {object} Answer
 * @property {number[]} probabilities calibrated, in the order of the manifest's classes
 * @property {number} strangeness
 * @property {boolean} refused whether it is stranger than the manifest's threshold
 */

const UNFIT =
  'The network could not be started: its runtime, model and description do not fit together, so one ' +
  'of these files is old or damaged. Load the page again; if that does not help, build the book again.';

let loading = null;
let last = Promise.resolve(); // one batch at a time

/**
 * What the build of the book put in.
 *
 * @returns {Promise<{ready: boolean, missing: string[], bytes: number}>}
 */
export async function buildInfo() {
  const response = await fetch(new URL('build.json', HERE));
  return response.ok ? response.json() : { ready: false, missing: [], bytes: 0 };
}

/**
 * Load runtime and model; later calls give the same promise. A failure is not remembered, so that
 * the reader can try again.
 *
 * @returns {Promise<Network>}
 */
export function loadNetwork() {
  loading ??= load().catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

async function load() {
  if (!globalThis.WebAssembly || !globalThis.DecompressionStream || !globalThis.createImageBitmap) {
    throw new PlainError(
      'This browser is too old to run the network (it lacks WebAssembly or a relative of it). ' +
        'Firefox, Chrome, Edge and Safari can, in their versions since 2023.',
    );
  }
  let parts;
  try {
    parts = await Promise.all([
      bytesOf('manifest.json'),
      bytesOf('model.onnx'),
      bytesOf('ort.wasm.gz').then(unzipped),
      import(new URL('ort.js', HERE)),
    ]);
  } catch ({ message }) {
    throw new PlainError(
      `The network could not be loaded (${message}). Check the connection, and choose the image again.`,
    );
  }
  const [description, model, wasm, ort] = parts;
  const manifest = described(description);
  ort.env.wasm.numThreads = 1; // more would need special headers from the server
  ort.env.wasm.wasmBinary = wasm;
  const network = { manifest, ort, run: await started(ort, model, manifest) };
  await network.run(Array(manifest.symmetries.length).fill(new Uint8Array(IMAGE))); // warm up
  return network;
}

/** Check a model and start it; return what asks it. */
export async function started(ort, model, facts) {
  await check(model, facts);
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] }).catch(
    (error) => {
      console.error(error);
      throw new PlainError(UNFIT); // the runtime remembers it, so only loading the page again helps
    },
  );
  return runner(ort, session, facts);
}

export async function bytesOf(name) {
  const response = await fetch(new URL(name, HERE));
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Unzip, unless the server or the browser has done it already. */
async function unzipped(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Read the manifest, if it holds what the answer is made from. */
function described(bytes) {
  try {
    const manifest = JSON.parse(new TextDecoder().decode(bytes));
    const { temperature, refusal, classes, symmetries } = manifest;
    const numbers = [temperature, refusal.threshold, classes.length, symmetries.length];
    if (numbers.every((number) => Number.isFinite(number) && number > 0)) return manifest;
  } catch {
    // no JSON, or without these parts
  }
  throw new PlainError(UNFIT);
}

/** Compare a model's checksum with the manifest's, where the browser can (https, localhost). */
async function check(model, { sha256 }) {
  if (!globalThis.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', model));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (hex !== sha256) {
    throw new PlainError(UNFIT);
  }
}

function runner(ort, session, { input, outputs }) {
  return (images) => {
    const numbers = images[0].length;
    const batch = new Float32Array(images.length * numbers);
    images.forEach((image, i) => batch.set(image, i * numbers));
    last = last
      .catch(() => {})
      .then(async () => {
        const tensor = new ort.Tensor('float32', batch, [images.length, ...input.size, 3]);
        const result = await session.run({ [input.name]: tensor });
        return {
          probabilities: result[outputs.probabilities].data,
          strangeness: result[outputs.strangeness]?.data,
        };
      });
    return last;
  };
}

/**
 * Turn an image counter-clockwise, then, if asked, mirror left and right.
 *
 * @param {Uint8Array} image size × size × 3
 * @param {{rotate: number, flip: boolean}} symmetry degrees, a multiple of 90
 * @param {number} [size]
 * @returns {Uint8Array}
 */
export function turned(image, { rotate, flip }, size = 28) {
  const end = size - 1;
  const out = new Uint8Array(image.length);
  for (let y = 0; y <= end; y += 1) {
    for (let x = 0; x <= end; x += 1) {
      let [row, column] = [y, x];
      for (let angle = 0; angle < rotate; angle += 90) [row, column] = [end - column, row];
      if (flip) column = end - column;
      const [to, from] = [(row * size + column) * 3, (y * size + x) * 3];
      for (let c = 0; c < 3; c += 1) out[to + c] = image[from + c];
    }
  }
  return out;
}

/**
 * Make probabilities as sure as the answers are right: raised to 1/temperature, summing to 1.
 *
 * @param {number[]} probabilities
 * @param {number} temperature
 * @returns {number[]}
 */
export function calibrated(probabilities, temperature) {
  const logs = probabilities.map((p) => Math.log(Math.max(p, 1e-12)) / temperature);
  const most = Math.max(...logs);
  const powers = logs.map((log) => Math.exp(log - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** The mean of rows of numbers, each of `width`. */
export function meanOf(numbers, width) {
  const sums = Array(width).fill(0);
  numbers.forEach((number, i) => {
    sums[i % width] += number;
  });
  return sums.map((sum) => (sum * width) / numbers.length);
}

/**
 * The network's answer on one image: the mean over its eight symmetries, calibrated.
 *
 * @param {Network} network
 * @param {Uint8Array} image 28 × 28 × 3
 * @returns {Promise<Answer>}
 */
export async function answerOf(network, image) {
  const { manifest } = network;
  const { symmetries, classes } = manifest;
  const raw = await network.run(symmetries.map((symmetry) => turned(image, symmetry)));
  const [strangeness] = meanOf(raw.strangeness, 1);
  return {
    probabilities: calibrated(meanOf(raw.probabilities, classes.length), manifest.temperature),
    strangeness,
    refused: strangeness > manifest.refusal.threshold,
  };
}
