/**
 * Shrink a picture to the size of the network's input, exactly as Pillow's BOX filter does.
 *
 * The course trains on images that `Image.resize(..., Image.Resampling.BOX)` made. A browser's own
 * scaling gives other pixels, so the same arithmetic stands here: each new pixel is the mean of the
 * pixels whose centres lie in its window; first along the rows, rounded to whole grey levels, then
 * along the columns; weights with 22 binary places, as in Pillow's `Resample.c`.
 */

/** Fixed-point one. */
const ONE = 2 ** 22;

/** Pixels of a strip that is read at once: keeps memory small for large photos. */
const STRIP = 1 << 20;

/**
 * @typedef {object} Region part of a picture, in whole pixels
 * @property {number} x left
 * @property {number} y top
 * @property {number} width
 * @property {number} height
 */

/**
 * For each new pixel: the first old pixel it is made of, how many, and the weight of each.
 *
 * @param {number} from old size
 * @param {number} to new size
 * @returns {{first: number, count: number, weight: number}[]}
 */
export function windows(from, to) {
  const scale = from / to;
  const width = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - width / 2 + 0.5));
    const high = Math.min(from, Math.trunc(centre + width / 2 + 0.5));
    const inside = [];
    for (let x = low; x < high; x += 1) {
      const distance = (x - centre + 0.5) * (1 / width);
      if (distance > -0.5 && distance <= 0.5) inside.push(x);
    }
    const count = inside.length;
    return { first: inside[0] ?? low, count, weight: Math.trunc(0.5 + ONE / count) };
  });
}

/**
 * Average along the rows: RGBA in, RGB with `to` pixels a row out.
 *
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 * @param {{first: number, count: number, weight: number}[]} along
 * @param {Uint8Array} out where the rows go
 * @param {number} row the first row to fill in `out`
 */
export function alongRows(rgba, width, height, along, out, row) {
  let at = row * along.length * 3;
  for (let y = 0; y < height; y += 1) {
    for (const { first, count, weight } of along) {
      let red = 0;
      let green = 0;
      let blue = 0;
      const end = (y * width + first + count) * 4;
      for (let i = (y * width + first) * 4; i < end; i += 4) {
        red += rgba[i];
        green += rgba[i + 1];
        blue += rgba[i + 2];
      }
      out[at] = rounded(red * weight);
      out[at + 1] = rounded(green * weight);
      out[at + 2] = rounded(blue * weight);
      at += 3;
    }
  }
}

/**
 * Average along the columns: RGB in, RGB with one row for each window out.
 *
 * @param {Uint8Array} rgb
 * @param {number} width
 * @param {{first: number, count: number, weight: number}[]} along
 * @returns {Uint8Array}
 */
export function alongColumns(rgb, width, along) {
  const line = width * 3;
  const out = new Uint8Array(along.length * line);
  along.forEach(({ first, count, weight }, y) => {
    for (let x = 0; x < line; x += 1) {
      let sum = 0;
      for (let i = first; i < first + count; i += 1) sum += rgb[i * line + x];
      out[y * line + x] = rounded(sum * weight);
    }
  });
  return out;
}

function rounded(fixed) {
  return Math.min(255, Math.floor((fixed + ONE / 2) / ONE));
}

let canvas = null;

/**
 * Shrink a region of a picture; what is transparent becomes white.
 *
 * @param {ImageBitmap} bitmap
 * @param {Region} region
 * @param {number} [size] height and width of the result
 * @returns {Uint8Array} size × size × 3 values, rows first
 */
export function shrink(bitmap, region, size = 28) {
  const { x, y, width, height } = region;
  canvas ??= document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true, alpha: false });
  const step = Math.max(1, Math.min(height, Math.floor(STRIP / width)));
  canvas.width = width;
  canvas.height = step;
  context.imageSmoothingEnabled = false;
  const across = windows(width, size);
  const rows = new Uint8Array(height * size * 3);
  for (let top = 0; top < height; top += step) {
    const tall = Math.min(step, height - top);
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, tall);
    context.drawImage(bitmap, x, y + top, width, tall, 0, 0, width, tall);
    alongRows(context.getImageData(0, 0, width, tall).data, width, tall, across, rows, top);
  }
  return alongColumns(rows, size, windows(height, size));
}

/**
 * The largest square in the middle of a picture.
 *
 * @param {{width: number, height: number}} picture
 * @returns {Region}
 */
export function centredSquare({ width, height }) {
  const side = Math.min(width, height);
  return {
    x: Math.floor((width - side) / 2),
    y: Math.floor((height - side) / 2),
    width: side,
    height: side,
  };
}
