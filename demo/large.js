/**
 * The larger network: loaded only if the reader asks for it, and asked after the small one.
 */

import { PlainError } from './decode.js';
import { bytesOf, calibrated, meanOf, started, turned } from './network.js';
import { pause } from './occlusion.js';
import { brief, element, percent, ranked, track } from './result.js';
import { shrink } from './shrink.js';

let loading = null;

async function load({ ort, manifest }) {
  return started(ort, await bytesOf(manifest.large.model), manifest.large);
}

/** The mean over the eight symmetries, calibrated; one by one, so that the page stays responsive. */
async function answerOf(network, { picture, region }, wanted) {
  const { classes, large, symmetries } = network.manifest;
  const [size] = large.input.size;
  const run = await (loading ??= load(network));
  if (!wanted()) return null; // the picture may be closed
  const image = shrink(picture.bitmap, region, size);
  const rows = [];
  for (const symmetry of symmetries) {
    await pause();
    if (!wanted()) return null;
    rows.push(...(await run([turned(image, symmetry, size)])).probabilities);
  }
  return calibrated(meanOf(rows, classes.length), large.temperature);
}

/**
 * Ask it if the reader wants that and the small one has answered; show its bars below those.
 *
 * @param {(name: string) => HTMLElement} find
 * @param {object} known what the small network was asked, and its answer
 * @param {() => boolean} wanted whether the switch is on, and the image still the same
 */
export async function askLarger(find, { network, given, ...asked }, wanted) {
  const say = (state, words = '', more = '') => {
    find('larger-text').textContent = words;
    find('larger-tested').textContent = more;
    find('larger-box').dataset.state = state;
  };
  const details = find('details');
  const clear = () => details.querySelectorAll('.tryit-second').forEach((old) => old.remove());
  clear();
  if (!wanted()) return say('off');
  if (given.refused) return say('refused', UNASKED);
  say('asked', loading ? 'Asking the larger network …' : 'Loading the larger network, once …');
  try {
    const { manifest } = network;
    const shares = await answerOf(network, asked, wanted);
    if (!shares || !wanted()) return null;
    const [own] = ranked(manifest, given.probabilities);
    const classes = ranked(manifest, shares);
    clear(); // switched off and on meanwhile, it was asked twice
    for (const entry of classes) {
      const value = element('span', '', percent(entry.share));
      const second = element('div', 'tryit-second', 'Larger network', value, track(entry));
      details.querySelector(`[data-dx=${entry.dx}] > .tryit-track`).after(second);
    }
    return say('answered', sentence(own, classes[0]), tested(manifest.large));
  } catch (error) {
    loading = null; // it can be tried again
    if (!(error instanceof PlainError)) console.error(error);
    const why = error instanceof PlainError ? error.message : FAILED;
    return wanted() ? say('failed', `${why} The answer of the small network stands.`) : null;
  }
}

const UNASKED =
  'The larger network is not asked about this image: it has no measure of strangeness, so it would ' +
  'name a class for anything.';
const FAILED =
  'The larger network could not be loaded. Check the connection, then switch it off and on.';

function sentence(small, large) {
  const words = (entry) => `${brief(entry)} (${percent(entry.share)})`;
  const agreed = 'The small one names the same.';
  const apart =
    `The small one names another: ${words(small)}. Neither is right by that; do not pick the one you ` +
    'like better.';
  return `Larger network: most like ${words(large)}. ${small.dx === large.dx ? agreed : apart}`;
}

/** What was measured of both, in percent with intervals. */
function tested({ images, input, best, transfer }) {
  const share = ({ value, low, high }) => {
    const [middle, ...ends] = [value, low, high].map((x) => Math.round(100 * x));
    return `${middle} (${ends.join(' to ')})`;
  };
  const both = (key) =>
    `${share(best[key])} with the small network, ${share(transfer[key])} with the larger`;
  return (
    `Measured on the same ${images.toLocaleString('en')} test images, none refused: of 100, what ` +
    `comes first is right for ${both('accuracy')}; of 100 melanomas, melanoma comes first for ` +
    `${both('melanoma sensitivity')} (95 % intervals). The larger one gets ` +
    `${input.size.join(' × ')} pixels; the samples have details for 28 × 28 only and do not show ` +
    'what it can do. How often an answer below is right was counted for the small one.'
  );
}
