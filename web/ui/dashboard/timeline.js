// Segments and parts as they were made, one lane for each rendition.

import { el, put, svg } from './dom.js';
import { bytes, seconds } from './words.js';

const lane = 34;
const left = 44; // for the names of lanes

export class Timeline {
  constructor() {
    this.drawing = svg('svg', { class: 'lanes', role: 'img', 'aria-label': 'Nothing yet' });
    this.text = el('p', { class: 'dim' }, '');
    this.watch = new ResizeObserver(() => this.last && this.drawing.clientWidth !== this.width && this.draw(this.last));
    this.watch.observe(this.drawing);
    this.section = el('section', { class: 'panel', 'aria-labelledby': 'parts-title' },
      el('div', { class: 'head' }, el('h2', { id: 'parts-title' }, 'Timeline of parts'),
        el('ul', { class: 'legend', 'aria-hidden': 'true' }, el('li', { 'data-kind': 'start' }, 'Decoding can start'), el('li', { 'data-kind': 'part' }, 'Part'), el('li', { 'data-kind': 'open' }, 'In production'), el('li', { 'data-kind': 'gap' }, 'Gap'))),
      this.drawing, this.text);
  }

  draw(last) {
    const { renditions, target } = this.last = last;
    const lanes = renditions.filter(({ segments }) => segments.length);
    this.section.hidden = !lanes.length;
    if (!lanes.length) return;
    const width = this.width = this.drawing.clientWidth || 600;
    const span = width < 500 ? 8 : 16; // seconds
    const end = Math.max(...lanes.map(({ segments }) => over(segments.at(-1))));
    const x = (time) => left + ((time - (end - span)) / span) * (width - left - 1);
    const drawn = [];
    lanes.forEach(({ id, segments }, row) => {
      const y = 4 + row * lane;
      drawn.push(svg('text', { class: 'lane', x: 0, y: y + 19 }, id));
      for (const segment of segments) {
        let time = Date.parse(segment.begins) / 1000;
        if (over(segment) < end - span) continue;
        segment.parts.forEach((part, i) => {
          const [from, to] = [Math.max(left, x(time)), x(time + part.duration)];
          time += part.duration;
          if (to <= left + 1) return;
          const kind = part.gap ? 'gap' : segment.open ? 'open' : 'part';
          drawn.push(svg('rect', { class: 'part', 'data-kind': kind, 'data-odd': segment.number % 2 ? true : null, x: (from + 1).toFixed(1), y, width: Math.max(1, to - from - 1.5).toFixed(1), height: 26, rx: 3 },
            svg('title', {}, `${id}, segment ${segment.number}, part ${i + 1} of ${segment.parts.length}: ${seconds(part.duration)}, ${part.gap ? 'a gap' : bytes(part.bytes)}`)));
          if (part.starts && id.startsWith('v')) drawn.push(svg('rect', { class: 'start', x: (from + 1).toFixed(1), y, width: 4, height: 26, rx: 2 }));
        });
      }
    });
    const bottom = 4 + lanes.length * lane;
    for (let back = 0; back <= span; back += span / 4) {
      const at = x(end - back);
      drawn.push(svg('text', { class: 'tick', x: at.toFixed(1), y: bottom + 12, 'text-anchor': back ? 'middle' : 'end' }, back ? `−${back} s` : 'newest'));
    }
    this.drawing.setAttribute('viewBox', `0 0 ${width} ${bottom + 18}`);
    this.drawing.setAttribute('height', bottom + 18);
    put(this.drawing, drawn);
    const words = lanes.map((one) => describe(one, target)).join(' ');
    put(this.text, words);
    this.drawing.setAttribute('aria-label', words);
  }
}

const over = ({ begins, duration }) => Date.parse(begins) / 1000 + duration;

function describe({ id, segments }, target) {
  const closed = segments.filter(({ open }) => !open);
  const lasts = closed.map(({ duration }) => duration);
  const gaps = segments.flatMap(({ parts }) => parts).filter(({ gap }) => gap).length;
  return [
    `${id}: segments of ${lasts.length ? range(lasts) : 'no length yet'}`,
    `parts of ${seconds(target)} at most`,
    gaps ? `${gaps} parts have nothing in them` : null,
  ].filter(Boolean).join(', ') + '.';
}

function range(all) {
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return most - least < 0.1 ? seconds(most) : `${seconds(least)} to ${seconds(most)}`;
}
