/**
 * The square that chooses a part of the picture: moved and sized by mouse, finger and keyboard.
 */

import { centredSquare } from './shrink.js';

/** The smallest square, in pixels of the picture. */
const LEAST = 28;

export class Crop {
  /**
   * @param {object} parts
   * @param {HTMLCanvasElement} parts.canvas shows the picture
   * @param {HTMLElement} parts.square lies over it; takes the keyboard's focus
   * @param {{x: HTMLInputElement, y: HTMLInputElement, size: HTMLInputElement}} parts.sliders
   * @param {(region: import('./shrink.js').Region) => void} parts.changed
   */
  constructor({ canvas, square, sliders, changed }) {
    Object.assign(this, { canvas, square, sliders, changed, pointers: new Map() });
    square.addEventListener('keydown', (event) => this.#key(event));
    const stage = square.parentElement;
    stage.addEventListener('pointerdown', (event) => this.#down(event));
    stage.addEventListener('pointermove', (event) => this.#move(event));
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
      stage.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    stage.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    for (const name of ['x', 'y', 'size']) {
      sliders[name].addEventListener('input', () => this.#slide(name));
    }
  }

  /**
   * Show a picture; the square starts in the middle, as large as it can be.
   *
   * @param {import('./decode.js').Picture} picture
   */
  show(picture) {
    this.picture = picture;
    const { width, height, bitmap } = picture;
    const longer = Math.max(width, height);
    const scale = Math.min(960, Math.max(480, longer)) / longer;
    this.canvas.width = Math.max(1, Math.round(width * scale));
    this.canvas.height = Math.max(1, Math.round(height * scale));
    const context = this.canvas.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, this.canvas.width, this.canvas.height);
    const square = centredSquare(picture);
    this.region = square;
    this.#place();
  }

  /** Move the centre of the square by whole pixels, size it by a factor, keep it inside. */
  change({ dx = 0, dy = 0, factor = 1, side = null }) {
    const { width, height } = this.picture;
    const most = Math.min(width, height);
    const old = this.region;
    const size = Math.round(
      Math.min(most, Math.max(Math.min(LEAST, most), side ?? old.width * factor)),
    );
    const inside = (value, room) => Math.round(Math.min(room - size, Math.max(0, value)));
    const region = {
      x: inside(old.x + (old.width - size) / 2 + dx, width),
      y: inside(old.y + (old.height - size) / 2 + dy, height),
      width: size,
      height: size,
    };
    if (['x', 'y', 'width'].every((key) => region[key] === old[key])) return;
    this.region = region;
    this.#place();
    this.changed(region);
  }

  #place() {
    const { width, height } = this.picture;
    const { x, y, width: side } = this.region;
    const style = this.square.style;
    style.left = `${(100 * x) / width}%`;
    style.top = `${(100 * y) / height}%`;
    style.width = `${(100 * side) / width}%`;
    style.height = `${(100 * side) / height}%`;
    const most = Math.min(width, height);
    this.#set('x', width - side, x, `${percent(x, width - side)} from the left`);
    this.#set('y', height - side, y, `${percent(y, height - side)} from the top`);
    this.sliders.size.min = String(Math.min(LEAST, most));
    this.#set('size', most, side, `${percent(side, most)} of the largest square`);
  }

  #set(name, most, value, words) {
    const slider = this.sliders[name];
    slider.max = String(most);
    slider.value = String(value);
    slider.setAttribute('aria-valuetext', words);
    slider.disabled = most <= Number(slider.min);
  }

  #slide(name) {
    const value = Number(this.sliders[name].value);
    if (name === 'size') this.change({ side: value });
    else if (name === 'x') this.change({ dx: value - this.region.x });
    else this.change({ dy: value - this.region.y });
  }

  #key(event) {
    const step = Math.max(1, Math.round(this.region.width * (event.shiftKey ? 0.1 : 0.03)));
    const change = {
      ArrowLeft: { dx: -step },
      ArrowRight: { dx: step },
      ArrowUp: { dy: -step },
      ArrowDown: { dy: step },
      '+': { factor: 1.1 },
      '=': { factor: 1.1 },
      '-': { factor: 1 / 1.1 },
      _: { factor: 1 / 1.1 },
    }[event.key];
    if (!change || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.change(change);
  }

  #wheel(event) {
    if (!this.picture || document.activeElement !== this.square) return; // the page scrolls
    event.preventDefault();
    this.change({ factor: event.deltaY < 0 ? 1.05 : 1 / 1.05 });
  }

  #down(event) {
    if (!this.picture || !event.target.closest('.tryit-square')) return;
    event.preventDefault();
    this.square.focus({ preventScroll: true });
    event.target.setPointerCapture?.(event.pointerId);
    this.corner = event.target.dataset.corner;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  #move(event) {
    const last = this.pointers.get(event.pointerId);
    if (!last) return;
    const now = { x: event.clientX, y: event.clientY };
    const scale = this.picture.width / this.canvas.getBoundingClientRect().width;
    const [dx, dy] = [(now.x - last.x) * scale, (now.y - last.y) * scale];
    if (Math.abs(dx) < 1 && Math.abs(dy) < 1) return; // wait for a whole pixel
    if (this.pointers.size > 1) {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, p]) => p);
      this.change({ factor: apart(now, other) / Math.max(1, apart(last, other)) });
    } else if (this.corner) {
      const outwards = { se: dx + dy, nw: -dx - dy, ne: dx - dy, sw: dy - dx }[this.corner];
      this.change({ side: this.region.width + outwards });
    } else {
      this.change({ dx, dy });
    }
    this.pointers.set(event.pointerId, now);
  }
}

function apart(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function percent(value, most) {
  return `${most ? Math.round((100 * value) / most) : 0} %`;
}
