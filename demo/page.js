/**
 * The page's furniture: what stands in the element `#tryit` before an image is chosen.
 */

/** The six samples, in the order in which they are shown: number and what it was drawn as. */
const SAMPLES = [
  ['nv', 'a mole'],
  ['mel', 'a melanoma'],
  ['bkl', 'a harmless age spot or wart-like growth'],
  ['bcc', 'a basal cell carcinoma'],
  ['vasc', 'a growth of blood vessels'],
  ['akiec', 'a sun-damaged patch'],
];

/** The button's number is part of its name, so that voice control can call it. */
function sample([dx, words], i) {
  const url = new URL(`samples/${dx}.png`, import.meta.url);
  return `<li><button type="button" class="tryit-sample" data-sample="${dx}">
    <img src="${url}" width="112" height="112" alt="Sample ${i + 1}: synthetic image, drawn as ${words}">
  </button></li>`;
}

const MARKUP = `
<div class="tryit-choose" id="tryit-choose" role="group" aria-labelledby="tryit-how">
  <p id="tryit-how"><strong>Drop an image here</strong>, paste one, or choose:</p>
  <div class="tryit-buttons">
    <label class="tryit-button tryit-main">
      <input type="file" id="tryit-file" accept="image/*"><span>Choose an image file</span>
    </label>
    <label class="tryit-button tryit-phone">
      <input type="file" id="tryit-photo" accept="image/*" capture="environment">
      <span>Take a photo</span>
    </label>
    <button type="button" class="tryit-button" id="tryit-camera">Use the camera</button>
  </div>
  <p class="tryit-small">The image stays on this device. It is not uploaded.
    The first image loads the network<span id="tryit-bytes"></span>.</p>
  <p id="tryit-samples-title">Or take a sample. They are synthetic; no patient is shown.</p>
  <ul class="tryit-samples" aria-labelledby="tryit-samples-title">${SAMPLES.map(sample).join('')}</ul>
</div>
<p role="status" class="tryit-status" id="tryit-status"></p>
<div role="alert" class="tryit-error" id="tryit-error" hidden></div>
<div class="tryit-work" id="tryit-work" hidden>
  <section class="tryit-picture" aria-labelledby="tryit-picture-title">
    <h2 id="tryit-picture-title">Your image</h2>
    <p class="tryit-small" id="tryit-keys">Centre the square on the lesion, with a little skin
      around it: drag it, or focus it and use the arrow keys, <kbd>+</kbd> and <kbd>−</kbd>.</p>
    <div class="tryit-stage">
      <canvas id="tryit-canvas" role="img" aria-label="The chosen image"></canvas>
      <div class="tryit-square" id="tryit-square" tabindex="0" role="application"
        aria-roledescription="crop square" aria-label="Part of the image that the network gets"
        aria-describedby="tryit-keys">
        <i data-corner="nw"></i><i data-corner="ne"></i><i data-corner="sw"></i><i data-corner="se"></i>
      </div>
    </div>
    <div class="tryit-sliders" id="tryit-sliders">
      <label>Size <input type="range" id="tryit-size" min="1" value="1"></label>
      <label>Left to right <input type="range" id="tryit-x" min="0" value="0"></label>
      <label>Top to bottom <input type="range" id="tryit-y" min="0" value="0"></label>
    </div>
    <label class="tryit-whole"><input type="checkbox" id="tryit-whole">
      Use the whole image, squeezed into a square, as the course does with its images</label>
    <ul class="tryit-notes" id="tryit-notes"></ul>
  </section>
  <section class="tryit-answer" id="tryit-answer" aria-labelledby="tryit-answer-title">
    <h2 id="tryit-answer-title">The network’s answer</h2>
    <div id="tryit-verdict"></div>
    <aside class="tryit-warning" aria-label="Not a medical device" id="tryit-warning"></aside>
    <div class="tryit-larger" id="tryit-larger-box">
      <label class="tryit-whole"><input type="checkbox" id="tryit-larger">
        <span>Ask the larger network too<span id="tryit-larger-bytes"></span></span></label>
      <p role="status" id="tryit-larger-text"></p>
      <p class="tryit-small" id="tryit-larger-tested"></p>
    </div>
    <div id="tryit-details"></div>
  </section>
  <section class="tryit-inside" aria-labelledby="tryit-inside-title">
    <h2 id="tryit-inside-title">What the small network sees</h2>
    <div class="tryit-figures">
      <div>
        <canvas id="tryit-sees" width="28" height="28" role="img"
          aria-label="The part in the square, shrunk to 28 by 28 pixels"></canvas>
        <p>All it gets: 28 × 28 pixels, each the mean of those it covers.</p>
      </div>
      <div id="tryit-map-figure">
        <canvas id="tryit-map" width="336" height="336" role="img"
          aria-label="Map of the parts the answer rests on; the text below says the same"></canvas>
        <p id="tryit-map-text"></p>
      </div>
    </div>
  </section>
</div>
<dialog class="tryit-dialog" id="tryit-dialog" aria-labelledby="tryit-dialog-title">
  <h2 id="tryit-dialog-title">Camera</h2>
  <video playsinline muted aria-label="What the camera sees"></video>
  <p class="tryit-small">Come close, hold still, and keep the spot in the middle. Nothing is
    recorded before you press the button, and nothing leaves this device after it.</p>
  <div class="tryit-buttons">
    <button type="button" class="tryit-button tryit-main" value="take">Take the picture</button>
    <button type="button" class="tryit-button" value="close">Close</button>
  </div>
</dialog>`;

/**
 * Put the furniture into the page.
 *
 * @param {HTMLElement} root
 * @returns {(name: string) => HTMLElement} finds an element by its id without the prefix
 */
export function furnish(root) {
  root.innerHTML = MARKUP;
  return (name) => document.getElementById(`tryit-${name}`);
}
