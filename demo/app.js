/**
 * The page "Try it": from an image to the network's answer, without leaving the browser.
 */

import { photograph } from './camera.js';
import { Crop } from './crop.js';
import { PlainError, decode, take } from './decode.js';
import { askLarger } from './large.js';
import { answerOf, buildInfo, loadNetwork } from './network.js';
import { occlusion } from './occlusion.js';
import { furnish } from './page.js';
import { ranked, showAnswer, showMap, showSeen, showWarning, summary } from './result.js';
import { shrink } from './shrink.js';

const root = document.getElementById('tryit');
let find;
let crop;
/** Counts up with each image and each move of the square; what belongs to an old one is dropped. */
let turn = 0;
let waiting = 0;
/** What the small network was asked and answered last; null while it is asked. */
let latest = null;

start();

async function start() {
  const info = await buildInfo().catch(() => ({ ready: false, missing: [] }));
  if (!info.ready) {
    root.querySelector('.tryit-missing')?.append(` ${info.missing.join(' ')}`);
    return;
  }
  find = furnish(root);
  find('bytes').textContent = ` (${(info.bytes / 1e6).toFixed(1)} MB, once)`;
  crop = new Crop({
    canvas: find('canvas'),
    square: find('square'),
    sliders: { x: find('x'), y: find('y'), size: find('size') },
    changed: soon,
  });
  listen();
  root.dataset.state = 'waiting';
}

function listen() {
  // The network is loaded as soon as it is likely to be needed.
  find('choose').addEventListener('focusin', warm, { once: true });
  for (const name of ['file', 'photo']) {
    find(name).addEventListener('change', ({ target }) => {
      if (target.files[0]) use(() => decode(target.files[0]));
      target.value = ''; // the same file can be chosen again
    });
  }
  for (const button of root.querySelectorAll('[data-sample]')) {
    button.addEventListener('click', () => use(() => take(button.querySelector('img'))));
  }
  find('camera').addEventListener('click', async () => {
    find('error').hidden = true;
    const picture = await photograph(find('dialog')).catch(tell);
    if (picture) use(() => picture);
  });
  find('whole').addEventListener('change', () => {
    find('square').hidden = find('whole').checked;
    find('sliders').hidden = find('whole').checked;
    soon();
  });
  find('larger').addEventListener('change', () => compare(turn));
  document.addEventListener('paste', (event) => {
    if (event.target.matches?.('input[type="search"], input[type="text"], textarea')) return;
    fromTransfer(event, event.clipboardData, 'The clipboard holds no image.');
  });
  // Anywhere on the page: a file dropped beside the box would otherwise replace the page.
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    find('choose').classList.add('tryit-over');
    warm();
  });
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) find('choose').classList.remove('tryit-over');
  });
  document.addEventListener('drop', (event) => {
    find('choose').classList.remove('tryit-over');
    fromTransfer(event, event.dataTransfer, 'What you dropped holds no file. Save the image first.');
  });
}

function fromTransfer(event, transfer, otherwise) {
  event.preventDefault();
  const file = [...(transfer?.files ?? [])].find((each) => each.type.startsWith('image/')) ??
    transfer?.files?.[0];
  if (file) use(() => decode(file));
  else tell(new PlainError(otherwise));
}

function warm() {
  loadNetwork().catch(() => {}); // tried again, and told, when an image is there
}

/**
 * Take an image and answer.
 *
 * @param {() => Promise<import('./decode.js').Picture> | import('./decode.js').Picture} get
 */
async function use(get) {
  turn += 1;
  const mine = turn;
  find('error').hidden = true;
  try {
    const picture = await get();
    if (mine !== turn) return;
    say('Reading the image …');
    find('work').hidden = false;
    find('notes').replaceChildren(...picture.notes.map(note));
    crop.picture?.bitmap.close();
    crop.show(picture);
    if (await answer()) bringIntoView();
  } catch (error) {
    if (mine === turn) fail(error);
  }
}

function note(words) {
  const item = document.createElement('li');
  item.textContent = words;
  return item;
}

/** Answer again once the square has come to rest for a moment. */
function soon() {
  turn += 1;
  find('error').hidden = true;
  clearTimeout(waiting);
  waiting = setTimeout(answer, 40);
}

/** @returns {Promise<boolean>} whether an answer stands on the page that belongs to the image */
async function answer() {
  turn += 1;
  const mine = turn;
  latest = null;
  root.dataset.state = 'working';
  try {
    const known = await verdict(mine);
    if (!known) return false;
    latest = known;
    explain(mine, known).catch(fail);
    compare(mine);
    return true;
  } catch (error) {
    if (mine === turn) fail(error);
    return false;
  }
}

function compare(mine) {
  if (latest) askLarger(find, latest, () => mine === turn && find('larger').checked);
}

/** Ask the network and show what it says; null if the reader has moved on meanwhile. */
async function verdict(mine) {
  const { picture } = crop;
  const region = find('whole').checked
    ? { x: 0, y: 0, width: picture.width, height: picture.height }
    : crop.region;
  const image = shrink(picture.bitmap, region);
  showSeen(find('sees'), image);
  const patience = setTimeout(() => say('Loading the network, once …'), 150);
  const network = await loadNetwork().finally(() => clearTimeout(patience));
  if (mine !== turn) return null;
  const given = await answerOf(network, image);
  if (mine !== turn) return null;
  const { manifest } = network;
  const caution = grey(image);
  const boxes = { verdict: find('verdict'), details: find('details') };
  showAnswer(boxes, manifest, given, caution);
  showWarning(find('warning'), manifest);
  find('larger-bytes').textContent = ` (${(manifest.large.bytes / 1e6).toFixed(1)} MB, once)`;
  say(`${summary(manifest, given)} ${caution}`);
  find('answer').dataset.refused = String(given.refused);
  find('map-figure').hidden = given.refused;
  root.dataset.state = 'answered';
  return { network, picture, region, image, given };
}

/** Draw the map, batch by batch, while the reader reads the answer. */
async function explain(mine, { network, picture, region, image, given }) {
  if (given.refused) return;
  const [entry] = ranked(network.manifest, given.probabilities);
  find('map-text').textContent = 'Covering the image part by part …';
  const map = await occlusion(network, image, entry.place, () => mine === turn);
  if (!map || mine !== turn) return;
  showMap(find('map'), find('map-text'), { bitmap: picture.bitmap, region, map, entry });
  root.dataset.state = 'explained';
}

/** A picture without colour is answered, with a caution. */
function grey(image) {
  for (let i = 0; i < image.length; i += 3) {
    const [r, g, b] = image.subarray(i, i + 3);
    if (Math.max(r, g, b) - Math.min(r, g, b) > 2) return '';
  }
  return 'This image has no colour; the network has learned on colour images only.';
}

function say(words) {
  find('status').textContent = words;
}

/** Say what went wrong and put the image away: it has no answer. */
function fail(error) {
  find('work').hidden = true;
  say('');
  tell(error);
  root.dataset.state = 'failed';
}

/** Say what went wrong; an image that is there keeps its answer. */
function tell(error) {
  if (!(error instanceof PlainError)) console.error(error);
  const box = find('error');
  box.textContent =
    error instanceof PlainError
      ? error.message
      : 'Something went wrong with this image. Load the page again, or try another image.';
  box.hidden = false;
  box.scrollIntoView({ block: 'nearest' }); // it stands above an answer
}

function bringIntoView() {
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  find('work').scrollIntoView({ block: 'start', behavior: calm ? 'auto' : 'smooth' });
}
