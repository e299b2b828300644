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
 *
 * @typedef {object} Raw
 * @property {Float32Array} probabilities one row of seven for each image
 * @property {Float32Array} strangeness one number for each image
 *
 * @typedef {object} Answer
 * @property {number[]} probabilities calibrated, in the order of the manifest's classes
 * @property {number} strangeness
 * @property {boolean} refused whether it is stranger than the manifest's threshold
 */

let loading = null;

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
  } catch {
    throw new PlainError(
      'The network could not be loaded. Check the connection, and choose the image again.',
    );
  }
  const [description, model, wasm, ort] = parts;
  const manifest = JSON.parse(new TextDecoder().decode(description));
  await check(model, manifest);
  ort.env.wasm.numThreads = 1; // more would need special headers from the server
  ort.env.wasm.wasmBinary = wasm;
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  const network = { manifest, run: runner(ort, session, manifest) };
  await network.run(Array(manifest.symmetries.length).fill(new Uint8Array(IMAGE))); // warm up
  return network;
}

async function bytesOf(name) {
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

/** Compare the model's checksum with the manifest's, where the browser can (https, localhost). */
async function check(model, manifest) {
  if (!globalThis.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', model));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (hex !== manifest.sha256) {
    throw new PlainError(
      'The model does not fit its description: one of the two files is old or damaged. Load the ' +
        'page again; if that does not help, build the book again.',
    );
  }
}

function runner(ort, session, manifest) {
  const { input, outputs } = manifest;
  let last = Promise.resolve(); // one batch at a time
  return (images) => {
    const batch = new Float32Array(images.length * IMAGE);
    images.forEach((image, i) => batch.set(image, i * IMAGE));
    last = last
      .catch(() => {})
      .then(async () => {
        const tensor = new ort.Tensor('float32', batch, [images.length, ...input.size, 3]);
        const result = await session.run({ [input.name]: tensor });
        return {
          probabilities: result[outputs.probabilities].data,
          strangeness: result[outputs.strangeness].data,
        };
      });
    return last;
  };
}

/**
 * Turn an image counter-clockwise, then, if asked, mirror left and right.
 *
 * @param {Uint8Array} image 28 × 28 × 3
 * @param {{rotate: number, flip: boolean}} symmetry degrees, a multiple of 90
 * @returns {Uint8Array}
 */
export function turned(image, { rotate, flip }) {
  const last = 27;
  const out = new Uint8Array(IMAGE);
  for (let y = 0; y <= last; y += 1) {
    for (let x = 0; x <= last; x += 1) {
      let [row, column] = [y, x];
      for (let angle = 0; angle < rotate; angle += 90) [row, column] = [last - column, row];
      if (flip) column = last - column;
      const [to, from] = [(row * 28 + column) * 3, (y * 28 + x) * 3];
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
  const mean = classes.map((_, c) => {
    let sum = 0;
    for (let i = 0; i < symmetries.length; i += 1) sum += raw.probabilities[i * classes.length + c];
    return sum / symmetries.length;
  });
  const strangeness = raw.strangeness.reduce((a, b) => a + b, 0) / symmetries.length;
  return {
    probabilities: calibrated(mean, manifest.temperature),
    strangeness,
    refused: strangeness > manifest.refusal.threshold,
  };
}
