// Groups of pictures, a bar for each frame: how large it is, and what it is.

import { el, put, svg } from './dom.js';
import { bytes, seconds } from './words.js';

const kinds = { key: 'Keyframe', next: 'Frame', early: 'B-frame' };
const height = 150;
const floor = 126; // where bars stand

export class Groups {
  constructor() {
    this.drawing = svg('svg', { class: 'groups', role: 'img', 'aria-label': 'Nothing yet' });
    this.text = el('p', { class: 'dim' }, '');
    this.watch = new ResizeObserver(() => this.last && this.drawing.clientWidth !== this.width && this.draw(this.last));
    this.watch.observe(this.drawing);
    this.choice = el('select', { 'aria-label': 'Rendition', hidden: true, onchange: () => document.dispatchEvent(new Event('again')) });
    this.section = el('section', { class: 'panel', 'aria-labelledby': 'gop-title' },
      el('div', { class: 'head' }, el('h2', { id: 'gop-title' }, 'Groups of pictures'), this.choice,
        el('ul', { class: 'legend', 'aria-hidden': 'true' }, Object.entries(kinds).map(([kind, words]) => el('li', { 'data-kind': kind }, words)))),
      this.drawing, this.text);
  }

  // pictures are the renditions to choose from.
  offer(pictures) {
    this.choice.hidden = pictures.length < 2;
    if (this.choice.options.length === pictures.length) return;
    put(this.choice, pictures.map(({ id, width, height }) => el('option', { value: id }, `${id}: ${width} × ${height}`)));
  }

  draw(last) {
    const { frames, rendition } = this.last = last;
    this.section.hidden = !frames.length;
    const width = this.width = this.drawing.clientWidth || 600;
    const all = frames.slice(-Math.floor(width / 2)); // two pixels each, or more
    if (!all.length) return;
    const wide = width / all.length;
    const most = Math.max(...all.map((frame) => frame.bytes));
    const paths = { key: '', next: '', early: '' };
    const marks = [];
    const keys = [];
    all.forEach((frame, i) => {
      const x = i * wide;
      const h = Math.max(1.5, (frame.bytes / most) * (floor - 14));
      paths[frame.kind] += `M${(x + wide * 0.12).toFixed(1)} ${floor}v${(-h).toFixed(1)}h${(wide * 0.76).toFixed(1)}V${floor}z`;
      if (frame.kind === 'key') keys.push(i);
    });
    keys.forEach((i, n) => {
      const end = keys[n + 1];
      marks.push(svg('path', { class: 'mark', d: `M${(i * wide).toFixed(1)} 6V${height}` }));
      const room = ((end ?? all.length) - i) * wide;
      if (end !== undefined && room > 70) marks.push(svg('text', { x: (i * wide + 5).toFixed(1), y: height - 7 }, `${seconds(all[end].at - all[i].at)}, ${end - i} frames`));
    });
    this.drawing.setAttribute('viewBox', `0 0 ${width} ${height}`);
    put(this.drawing, marks, Object.entries(paths).map(([kind, d]) => svg('path', { class: 'bars', 'data-kind': kind, d })));
    const words = describe(frames, rendition);
    put(this.text, words);
    this.drawing.setAttribute('aria-label', words);
  }
}

function describe(frames, rendition) {
  const keys = frames.filter(({ kind }) => kind === 'key');
  const early = frames.filter(({ kind }) => kind === 'early').length;
  const size = (all) => bytes(all.reduce((sum, frame) => sum + frame.bytes, 0) / Math.max(1, all.length));
  const apart = keys.slice(1).map((key, i) => key.at - keys[i].at);
  return [
    apart.length ? `${rendition}: a keyframe every ${Math.max(...apart) - Math.min(...apart) < 0.05 ? seconds(apart[0]) : `${seconds(Math.min(...apart))} to ${seconds(Math.max(...apart))}`}` : `${rendition}: ${keys.length === 1 ? 'one keyframe' : 'no keyframe'} in what is listed`,
    `keyframes take ${size(keys)}, others ${size(frames.filter(({ kind }) => kind !== 'key'))} on average`,
    early ? `${Math.round((early / frames.length) * 100)} % are B-frames` : 'no B-frames',
  ].join('; ') + '.';
}
