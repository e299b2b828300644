/**
 * From a file to a picture in memory, or to a plain sentence about why not.
 */

import { HEAD, readHeader } from './header.js';

/** More pixels than this are refused before they are decoded; they would take 400 MB. */
export const MOST_PIXELS = 100e6;

/** Files above this are refused unread. */
export const MOST_BYTES = 100e6;

/** An error whose message is meant for the reader. */
export class PlainError extends Error {}

/**
 * @typedef {object} Picture
 * @property {ImageBitmap} bitmap upright, in the file's own colours, alpha not applied
 * @property {number} width
 * @property {number} height
 * @property {string[]} notes what the reader should know about the file, a sentence each
 */

const INSTEAD = 'Choose a photo in JPEG, PNG or WebP format.';

/** What to say of a file that the browser cannot decode, by the kind that its header tells. */
const ADVICE = {
  '': `This file is not an image that can be read here. ${INSTEAD}`,
  HEIC:
    'This is a HEIC file, the format in which iPhones store photos, and this browser cannot read ' +
    'it. Save the photo as JPEG first: on an iPhone choose Settings, Camera, Formats, Most ' +
    'Compatible before you take it, or open the photo and export it as JPEG.',
  TIFF: 'This is a TIFF file, which this browser cannot read. Save it as JPEG or PNG first.',
  PDF: `This is a PDF document, not an image. ${INSTEAD}`,
  DICOM: 'This is a DICOM file, which a browser cannot read. Export the image as PNG first.',
  SVG: `This is a drawing (SVG), not a photo. ${INSTEAD}`,
  video: `This is a video or an unknown relative of one, not an image. ${INSTEAD}`,
};

/**
 * Decode a file.
 *
 * @param {Blob} file
 * @returns {Promise<Picture>}
 * @throws {PlainError} if it is empty, too large, of a format this browser does not know or broken
 */
export async function decode(file) {
  if (!file.size) throw new PlainError(`This file is empty. ${INSTEAD}`);
  if (file.size > MOST_BYTES) {
    throw new PlainError(
      `This file has ${Math.round(file.size / 1e6)} MB; more than ${MOST_BYTES / 1e6} MB are not ` +
        'read. Save the image smaller and choose it again.',
    );
  }
  const header = readHeader(new Uint8Array(await file.slice(0, HEAD).arrayBuffer()));
  refuseHuge(header);
  const bitmap = await bitmapOf(file, header);
  const { width, height } = bitmap;
  refuseHuge(bitmap);
  const notes = [];
  if (header.animated) notes.push('This file is animated. Only its first picture is used.');
  if (header.cmyk) {
    notes.push(
      'The colours of this file are made for printing (CMYK). They were converted for the screen, ' +
        'which shifts them a little.',
    );
  }
  if (isTransparent(bitmap)) notes.push('What is transparent in this image is taken as white.');
  if (Math.min(width, height) < 28) {
    notes.push('This image is smaller than the 28 × 28 pixels that the network sees.');
  }
  return { bitmap, width, height, notes };
}

/** Look at a small copy: a pixel here and there does not matter. */
function isTransparent(bitmap) {
  const canvas = document.createElement('canvas');
  canvas.width = 32;
  canvas.height = 32;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, 32, 32);
  return context.getImageData(0, 0, 32, 32).data.some((value, i) => i % 4 === 3 && value < 250);
}

function refuseHuge({ width, height }) {
  if (width * height > MOST_PIXELS) {
    throw new PlainError(
      `This image has ${width} × ${height} pixels, ${Math.round((width * height) / 1e6)} million; ` +
        `more than ${MOST_PIXELS / 1e6} million are not decoded. The network sees 28 × 28 of ` +
        'them: save the image smaller and choose it again.',
    );
  }
}

/**
 * Decode as Pillow does: no colour profile applied, turned as the EXIF entry says.
 *
 * @param {Blob | HTMLImageElement} source
 * @param {{kind: string}} header
 */
async function bitmapOf(source, header) {
  try {
    return await createImageBitmap(source, {
      colorSpaceConversion: 'none',
      imageOrientation: 'from-image',
      premultiplyAlpha: 'none',
    });
  } catch {
    throw new PlainError(
      ADVICE[header.kind] ??
        `This ${header.kind} file is broken or incomplete, or of a kind that this browser cannot ` +
          'read. Try to open it elsewhere and save it again as JPEG or PNG.',
    );
  }
}

/**
 * Take over a picture that the page shows already (a sample): no file to read.
 *
 * @param {HTMLImageElement | HTMLVideoElement} element loaded, or playing
 * @returns {Promise<Picture>}
 */
export async function take(element) {
  if (element instanceof HTMLImageElement) await element.decode();
  const bitmap = await bitmapOf(element, { kind: '' });
  return { bitmap, width: bitmap.width, height: bitmap.height, notes: [] };
}
