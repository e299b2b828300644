/**
 * What the first bytes of a file tell about it, before anything is decoded.
 *
 * A picture of 200 million pixels takes 800 MB once it is decoded, so its size is looked up in the
 * file's header first. Formats that a browser may not know (HEIC, TIFF, PDF) are recognised here
 * too, so that the message can say what to do with them.
 */

/**
 * @typedef {object} Header
 * @property {string} kind name of the format, "" if it is none that is known here
 * @property {number} width in pixels, 0 if the header does not tell
 * @property {number} height in pixels, 0 if the header does not tell
 * @property {boolean} animated whether it holds more than one picture
 * @property {boolean} cmyk whether its colours are those of a printer
 */

/** How much of a file is looked at: enough for headers with a large preview in front. */
export const HEAD = 1 << 20;

/** JPEG markers that start a frame, and so carry its size. */
const FRAMES = new Set([
  0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf,
]);

/** Brands of the ISO base media format, the family of HEIC and AVIF. */
const HEIC = new Set(['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'msf1']);

/**
 * Read a file's header.
 *
 * @param {Uint8Array} bytes the first bytes of the file, up to HEAD of them
 * @returns {Header}
 */
export function readHeader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = { kind: '', width: 0, height: 0, animated: false, cmyk: false };
  try {
    if (text(bytes, 1, 3) === 'PNG' && bytes[0] === 0x89) return png(bytes, view, found);
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpeg(bytes, view, found);
    if (text(bytes, 0, 4) === 'GIF8') return gif(bytes, view, found);
    if (text(bytes, 0, 4) === 'RIFF' && text(bytes, 8, 4) === 'WEBP') {
      return webp(bytes, view, found);
    }
    if (text(bytes, 0, 2) === 'BM') {
      const width = Math.abs(view.getInt32(18, true));
      return { ...found, kind: 'BMP', width, height: Math.abs(view.getInt32(22, true)) };
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the file ends within its header
    return found;
  }
  if (text(bytes, 4, 4) === 'ftyp') {
    const brand = text(bytes, 8, 4);
    if (HEIC.has(brand)) return { ...found, kind: 'HEIC' };
    if (brand === 'avif' || brand === 'avis') {
      return avif(view, { ...found, kind: 'AVIF', animated: brand === 'avis' });
    }
    return { ...found, kind: 'video' };
  }
  if (['II*\0', 'MM\0*'].includes(text(bytes, 0, 4))) return { ...found, kind: 'TIFF' };
  if (text(bytes, 0, 4) === '%PDF') return { ...found, kind: 'PDF' };
  if (text(bytes, 128, 4) === 'DICM') return { ...found, kind: 'DICOM' };
  if (/^\s*<(\?xml|svg)/.test(text(bytes, 0, 64))) return { ...found, kind: 'SVG' };
  return found;
}

function text(bytes, start, length) {
  return String.fromCharCode(...bytes.subarray(start, start + length));
}

function png(bytes, view, found) {
  const header = { ...found, kind: 'PNG', width: view.getUint32(16), height: view.getUint32(20) };
  for (let at = 8; at + 8 <= bytes.length; at += 12 + view.getUint32(at)) {
    const chunk = text(bytes, at + 4, 4);
    if (chunk === 'acTL') return { ...header, animated: view.getUint32(at + 8) > 1 };
    if (chunk === 'IDAT') break;
  }
  return header;
}

function jpeg(bytes, view, found) {
  const header = { ...found, kind: 'JPEG' };
  let at = 2;
  while (at + 4 < bytes.length) {
    if (bytes[at] !== 0xff) return header;
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at += 1; // padding
    } else if (FRAMES.has(marker)) {
      header.height = view.getUint16(at + 5);
      header.width = view.getUint16(at + 7);
      header.cmyk = bytes[at + 9] === 4;
      return header;
    } else {
      at += 2 + view.getUint16(at + 2);
    }
  }
  return header;
}

function gif(bytes, view, found) {
  const header = { ...found, kind: 'GIF' };
  header.width = view.getUint16(6, true);
  header.height = view.getUint16(8, true);
  let at = 13 + (bytes[10] & 0x80 ? 3 << ((bytes[10] & 7) + 1) : 0);
  for (let pictures = 0; at < bytes.length; ) {
    if (bytes[at] === 0x2c) {
      pictures += 1;
      if (pictures > 1) return { ...header, animated: true };
      at += 10 + (bytes[at + 9] & 0x80 ? 3 << ((bytes[at + 9] & 7) + 1) : 0) + 1;
    } else if (bytes[at] === 0x21) {
      at += 2;
    } else {
      return header; // its end, or something unknown
    }
    while (at < bytes.length && bytes[at] !== 0) at += 1 + bytes[at]; // blocks of data
    at += 1;
  }
  return header;
}

/** A box `ispe` of 20 bytes tells the size of each picture in the file; the largest counts. */
function avif(view, header) {
  for (let at = 0; at + 20 <= view.byteLength; at += 1) {
    if (view.getUint32(at + 4) !== 0x69737065 || view.getUint32(at) !== 20) continue;
    const [width, height] = [view.getUint32(at + 12), view.getUint32(at + 16)];
    if (width * height > header.width * header.height) Object.assign(header, { width, height });
  }
  return header;
}

function webp(bytes, view, found) {
  const header = { ...found, kind: 'WebP' };
  const form = text(bytes, 12, 4);
  if (form === 'VP8X') {
    header.width = 1 + (view.getUint32(24, true) & 0xffffff);
    header.height = 1 + (bytes[27] | (bytes[28] << 8) | (bytes[29] << 16));
    header.animated = Boolean(bytes[20] & 2);
  } else if (form === 'VP8L') {
    const bits = view.getUint32(21, true);
    header.width = 1 + (bits & 0x3fff);
    header.height = 1 + ((bits >>> 14) & 0x3fff);
  } else {
    header.width = view.getUint16(26, true) & 0x3fff;
    header.height = view.getUint16(28, true) & 0x3fff;
  }
  return header;
}
