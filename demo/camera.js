/**
 * Take a picture with the device's camera. The stream stays in the page and ends with the dialog.
 */

import { PlainError, take } from './decode.js';

let busy = false; // opening, or open

/**
 * Open the camera in a dialog.
 *
 * @param {HTMLDialogElement} dialog holds a video and buttons with the values `take` and `close`
 * @returns {Promise<import('./decode.js').Picture | null>} null if the reader closed it, or asked twice
 * @throws {PlainError} if there is no camera, or it may not be used
 */
export async function photograph(dialog) {
  if (busy) return null;
  busy = true;
  return filmed(dialog).finally(() => {
    busy = false;
  });
}

async function filmed(dialog) {
  const video = dialog.querySelector('video');
  const stream = await open();
  try {
    video.srcObject = stream;
    dialog.showModal();
    const playing = video.play();
    return await new Promise((resolve, reject) => {
      dialog.onclose = () => resolve(null); // the Escape key as well, even before the video plays
      dialog.onclick = ({ target }) => {
        if (target.value === 'take') playing.then(() => take(video)).then(resolve, reject);
        if (target.value === 'close') resolve(null);
      };
      playing.catch(reject);
    });
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
    dialog.onclose = null;
    dialog.close();
  }
}

async function open() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new PlainError(
      'This browser gives no camera to this page (it needs https or localhost). Take a photo and ' +
        'choose its file instead.',
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: { facingMode: 'environment', width: { ideal: 1280 } },
      audio: false,
    });
  } catch (error) {
    throw new PlainError(
      error.name === 'NotAllowedError'
        ? 'The camera was not allowed. Allow it in the browser’s settings for this page, or choose ' +
            'a file instead.'
        : 'No camera could be opened. Choose a file instead.',
    );
  }
}
