/**
 * Say what the network answered: in words, as bars, as a map.
 */

import { PATCH, whereabouts } from './occlusion.js';

/**
 * @param {number} share 0 to 1
 * @returns {string} in percent, never rounded to certainty
 */
export function percent(share) {
  if (share < 0.005) return 'under 1 %';
  if (share > 0.995) return 'over 99 %';
  return `${Math.round(100 * share)} %`;
}

/** Make an element; texts go in as text, so nothing of a file can become markup. */
export function element(name, className = '', ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/**
 * Classes with their probabilities, the most likely first.
 *
 * @param {object} manifest
 * @param {number[]} probabilities
 */
export function ranked(manifest, probabilities) {
  return manifest.classes
    .map((entry, place) => ({ ...entry, place, share: probabilities[place] }))
    .sort((a, b) => b.share - a.share);
}

/** The everyday name with a capital: "Melanoma, the more serious kind of skin cancer". */
function everyday({ plain }) {
  return plain[0].toUpperCase() + plain.slice(1);
}

/** The same without its explanation: "Melanoma". */
export function brief(entry) {
  return everyday(entry).replace(/, (a|the) .*$/, '');
}

/**
 * One sentence for the status line, which screen readers speak.
 *
 * @param {object} manifest
 * @param {import('./network.js').Answer} answer
 * @returns {string}
 */
export function summary(manifest, answer) {
  if (answer.refused) return manifest.refusal.text;
  const [first, second, third] = ranked(manifest, answer.probabilities);
  const words = (entry) => `${brief(entry)}, ${percent(entry.share)}`;
  return `Most like: ${words(first)}. Then: ${words(second)}; ${words(third)}.`;
}

/**
 * Fill the answer's section: what it says, and below the warning all of it.
 *
 * @param {{verdict: HTMLElement, details: HTMLElement}} boxes
 * @param {object} manifest
 * @param {import('./network.js').Answer} answer
 * @param {string} [caution] a sentence about the image
 */
export function showAnswer({ verdict, details }, manifest, answer, caution = '') {
  if (answer.refused) {
    const [what, why] = refusal(manifest, answer);
    verdict.replaceChildren(...what);
    details.replaceChildren(why);
    return;
  }
  const classes = ranked(manifest, answer.probabilities);
  const [first] = classes;
  const lead = element('p', 'tryit-lead', 'Most like: ', element('strong', '', brief(first)));
  lead.append(` (${percent(first.share)})`);
  const bad = classes.filter((entry) => entry.malignant);
  const sum = bad.reduce((total, entry) => total + entry.share, 0);
  const together = element(
    'p',
    'tryit-together',
    `The ${bad.length} kinds that are skin cancer or an early form of it get ${percent(sum)} together.`,
  );
  const list = element('ol', 'tryit-bars');
  classes.forEach((entry, i) => list.append(bar(entry, i)));
  const origin = element(
    'p',
    'tryit-small',
    'How often it is right was counted on test images of the same collection. On photos of another ' +
      'kind, and on dark skin, where it is untested, it may be right less often.',
  );
  verdict.replaceChildren(lead, together);
  if (caution) verdict.append(element('p', 'tryit-caution', caution));
  details.replaceChildren(list, origin);
}

function bar(entry, i) {
  const top = i < 3;
  const name = element('span', 'tryit-name', everyday(entry));
  const medical = element('span', 'tryit-medical', `Medical name: ${entry.name}`);
  const value = element('span', 'tryit-value', percent(entry.share));
  const more = element(
    'details',
    'tryit-more',
    element(
      'summary',
      '',
      element('span', 'tryit-hidden', `${brief(entry)}: `),
      'What it is, and how often this is right',
    ),
    element('p', '', `${entry.meaning} `, link(entry.source, 'Source')),
    element('p', '', howOften(entry)),
  );
  more.open = i === 0;
  const item = element('li', top ? 'tryit-top' : '', name, value, medical, track(entry), more);
  item.dataset.dx = entry.dx;
  return item;
}

/** The bar itself. */
export function track({ share, colour }) {
  const fill = element('span', 'tryit-fill');
  fill.style.width = `${100 * share}%`;
  fill.style.backgroundColor = colour;
  const made = element('span', 'tryit-track', fill);
  made.setAttribute('aria-hidden', 'true');
  return made;
}

/** How often the network is right when it puts this class first, with the interval, and on how many melanomas. */
function howOften({ dx, says }) {
  if (!says?.said) return 'On the test images the network never put this first.';
  const [share, low, high] = [says.share, says.low, says.high].map((x) => Math.round(100 * x));
  return (
    `When the network puts this first, it is right in ${share} of 100 cases ` +
    `(${says.right} of ${says.said} test images; 95 % interval ${low} to ${high}).` +
    (dx === 'mel' ? '' : ` Melanomas among them: ${says.melanomas}.`)
  );
}

function refusal(manifest, answer) {
  const [short, ...rest] = manifest.refusal.text.split(/(?<=\.) /);
  const advice = element('ul', '');
  for (const line of [
    'If the lesion is small in your image, make the square smaller and centre it.',
    'If it is a phone photo of a larger part of the body, come closer, or take a sample from above.',
  ]) {
    advice.append(element('li', '', line));
  }
  const number = (value) => value.toPrecision(3);
  const why = element(
    'p',
    'tryit-small',
    `Strangeness ${number(answer.strangeness)}; above ${number(manifest.refusal.threshold)} the ` +
      'page gives no answer.',
  );
  const lead = element('p', 'tryit-lead tryit-refused', short);
  return [[lead, element('p', '', rest.join(' ')), advice], why];
}

function link(address, words) {
  const made = element('a', '', words);
  made.href = address;
  made.rel = 'noreferrer';
  return made;
}

/**
 * What stands beside every answer and every refusal: what this is not, and what to do instead.
 *
 * @param {HTMLElement} box
 * @param {object} manifest
 */
export function showWarning(box, manifest) {
  const { text, source, source_name: name } = manifest.when_worried;
  const [first, rest] = manifest.not_a_medical_device.split(/(?<=\.) (.*)/s);
  box.replaceChildren(
    element('p', '', element('strong', '', first), ` ${rest ?? ''}`),
    element('p', '', text, ' (After advice of the ', link(source, name), '.)'),
  );
}

/**
 * Draw the image that the network gets.
 *
 * @param {HTMLCanvasElement} canvas 28 × 28
 * @param {Uint8Array} image
 */
export function showSeen(canvas, image) {
  const context = canvas.getContext('2d');
  const pixels = context.createImageData(28, 28);
  for (let i = 0; i < 28 * 28; i += 1) {
    pixels.data.set(image.subarray(i * 3, i * 3 + 3), i * 4);
    pixels.data[i * 4 + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
}

/**
 * Draw the map over the part of the picture it belongs to, and say the same in words.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} caption
 * @param {object} subject
 * @param {ImageBitmap} subject.bitmap
 * @param {import('./shrink.js').Region} subject.region
 * @param {import('./occlusion.js').Occlusion} subject.map
 * @param {object} subject.entry the class, as in the manifest
 */
export function showMap(canvas, caption, { bitmap, region, map, entry }) {
  const context = canvas.getContext('2d');
  const side = canvas.width;
  const { x, y, width, height } = region;
  context.fillStyle = '#fff';
  context.fillRect(0, 0, side, side);
  context.drawImage(bitmap, x, y, width, height, 0, 0, side, side);
  const most = Math.max(0.05, ...map.loss); // below 5 % it is noise, and stays pale
  const veil = document.createElement('canvas');
  veil.width = 28;
  veil.height = 28;
  const paint = veil.getContext('2d');
  const pixels = paint.createImageData(28, 28);
  map.loss.forEach((loss, i) => pixels.data.set([0, 240, 255, (190 * loss) / most], i * 4));
  paint.putImageData(pixels, 0, 0);
  context.drawImage(veil, 0, 0, side, side);
  const name = brief(entry);
  const { worst } = map;
  if (worst.loss < 0.02) {
    caption.textContent = `Covering any single part costs “${name}” next to nothing: the answer rests on the image as a whole.`;
    return;
  }
  const size = (PATCH / 28) * side;
  for (const [colour, dash] of [['#000', []], ['#fff', [6, 6]]]) {
    context.strokeStyle = colour;
    context.setLineDash(dash);
    context.lineWidth = 3;
    context.strokeRect(worst.x * side - size / 2, worst.y * side - size / 2, size, size);
  }
  caption.textContent =
    `What “${name}” rests on: the bluer, the more it loses when that part is covered with the ` +
    `colour of the rim. Covering the marked square ${whereabouts(worst)} takes it from ` +
    `${percent(map.before)} to ${percent(worst.left)} (one orientation, not the mean of eight).`;
}
