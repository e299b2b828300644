/**
 * What the answer rests on: cover a part of the image, ask again, and see how much is lost.
 */

import { calibrated } from './network.js';

const SIZE = 28;
/** Side of the covering square, and how far it moves each time, in pixels of the network's image. */
export const PATCH = 6;
const STEP = 2;
/** Images in one batch: small enough that the page stays responsive in between. */
const BATCH = 16;

/**
 * @typedef {object} Occlusion
 * @property {Float32Array} loss for each of 28 × 28 pixels: mean loss of probability, 0 or more
 * @property {{x: number, y: number, loss: number, left: number}} worst the one square whose
 *   covering costs most: its centre (0 to 1), the loss, and the probability that is left
 * @property {number} before the probability with nothing covered
 */

/**
 * Make the map of one class.
 *
 * @param {import('./network.js').Network} network
 * @param {Uint8Array} image 28 × 28 × 3
 * @param {number} which place of the class in the manifest
 * @param {() => boolean} wanted asked between batches; false stops the work
 * @returns {Promise<Occlusion | null>} null if it was stopped
 */
export async function occlusion(network, image, which, wanted) {
  const places = [];
  for (let y = 0; y <= SIZE - PATCH; y += STEP) {
    for (let x = 0; x <= SIZE - PATCH; x += STEP) places.push({ x, y });
  }
  const cover = rim(image);
  const [before] = await ask(network, [image], which);
  const left = [];
  for (let start = 0; start < places.length; start += BATCH) {
    await pause();
    if (!wanted()) return null;
    const covered = places.slice(start, start + BATCH).map((place) => hide(image, place, cover));
    left.push(...(await ask(network, covered, which)));
  }
  const sum = new Float32Array(SIZE * SIZE);
  const times = new Float32Array(SIZE * SIZE);
  places.forEach(({ x, y }, i) => {
    for (let row = y; row < y + PATCH; row += 1) {
      for (let column = x; column < x + PATCH; column += 1) {
        sum[row * SIZE + column] += before - left[i];
        times[row * SIZE + column] += 1;
      }
    }
  });
  const lowest = left.indexOf(Math.min(...left));
  return {
    loss: sum.map((value, i) => Math.max(0, value / times[i])),
    worst: {
      x: (places[lowest].x + PATCH / 2) / SIZE,
      y: (places[lowest].y + PATCH / 2) / SIZE,
      loss: before - left[lowest],
      left: left[lowest],
    },
    before,
  };
}

/** Let the browser paint and listen before the next batch. */
export function pause() {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}

async function ask(network, images, which) {
  const { classes, temperature } = network.manifest;
  const { probabilities } = await network.run(images);
  return images.map((_, i) => {
    const row = Array.from(
      probabilities.subarray(i * classes.length, (i + 1) * classes.length),
    );
    return calibrated(row, temperature)[which];
  });
}

/** The mean colour along the image's rim, mostly skin: what the covered part is painted with. */
function rim(image) {
  const sum = [0, 0, 0];
  let count = 0;
  for (let y = 0; y < SIZE; y += 1) {
    for (let x = 0; x < SIZE; x += 1) {
      if (x > 1 && x < SIZE - 2 && y > 1 && y < SIZE - 2) continue;
      for (let c = 0; c < 3; c += 1) sum[c] += image[(y * SIZE + x) * 3 + c];
      count += 1;
    }
  }
  return sum.map((value) => Math.round(value / count));
}

function hide(image, { x, y }, colour) {
  const out = image.slice();
  for (let row = y; row < y + PATCH; row += 1) {
    for (let column = x; column < x + PATCH; column += 1) {
      out.set(colour, (row * SIZE + column) * 3);
    }
  }
  return out;
}

/**
 * Say where a place lies, for those who do not see the map.
 *
 * @param {{x: number, y: number}} place 0 to 1 from the left and from the top
 * @returns {string}
 */
export function whereabouts({ x, y }) {
  const row = y < 0.36 ? 'top' : y > 0.64 ? 'bottom' : '';
  const column = x < 0.36 ? 'left' : x > 0.64 ? 'right' : '';
  if (row && column) return `at the ${row} ${column}`;
  return row || column ? `at the ${row || column}` : 'in the middle';
}
