// What happens, who was refused, and the log.

import { el, put, table, unless } from './dom.js';
import { ask, listen } from './api.js';
import { EventList } from './eventlist.js';
import { tell } from './question.js';
import { clock, count, day, path } from './words.js';

const mostLines = 300;
const own = new Set(['level', 'time', 'message']);

export class Activity {
  title = 'Activity';
  every = 5000;

  constructor(view) {
    this.events = new EventList({ most: 200, title: 'Events' });
    this.refusals = el('section', { class: 'panel' });
    this.refused = el('section', { class: 'panel' });
    this.lines = el('ol', { class: 'log', tabindex: 0, 'aria-label': 'Log' });
    this.level = el('select', { id: 'least', onchange: () => { this.lines.dataset.least = this.level.value; } },
      [['debug', 'All lines'], ['info', 'info and worse'], ['warn', 'warn and worse'], ['error', 'error alone']].map(([value, words]) => el('option', { value }, words)));
    put(view, el('h1', {}, 'Activity'),
      el('div', { class: 'two' }, this.events.section, el('div', { class: 'stack' }, this.refusals, this.refused)),
      el('section', { class: 'panel' }, el('div', { class: 'head' }, el('h2', {}, 'Log'), el('label', { for: 'least', class: 'unseen' }, 'Which lines'), this.level), this.lines));
    this.stop = new AbortController();
    listen('log', this.stop.signal, (lines) => this.read(lines));
  }

  async look(signal) {
    const [{ refusals }, { streams }] = await Promise.all([ask('refusals', { signal }), ask('refused', { signal })]);
    unless(this.refusals, [refusals.length, refusals[0]], () => put(this.refusals, el('h2', {}, `Refused in the last hour${refusals.length ? `: ${count(refusals.length)}` : ''}`), refusals.length
      ? table('Refusals', ['When', 'From', 'For', 'Rule', 'Why'], refusals.slice(0, 100).map((one) => [el('time', { datetime: one.at }, clock(one.at)), one.remote, one.stream || `${one.app}/…`, one.what, one.why]))
      : el('p', { class: 'dim' }, 'No publisher was refused in the last hour.')));
    unless(this.refused, streams, () => put(this.refused, el('h2', {}, 'Streams that nobody may publish'), streams.length
      ? table('Refused streams', ['Stream', 'Until', ''], streams.map(({ name, until }) => [el('a', { href: `#/stream/${path(name)}` }, name), day(until),
        el('button', { type: 'button', 'data-focus': name, onclick: () => tell(`refused/${path(name)}`, 'DELETE', `${name} may be published again.`) }, 'Let it be published')]))
      : el('p', { class: 'dim' }, 'None: an operator can refuse a stream for a while, on its page.')));
  }

  hear(events) {
    this.events.hear(events);
  }

  // read takes lines of the log, and keeps its place at the end, if it is there.
  read(lines) {
    const { scrollHeight, scrollTop, clientHeight } = this.lines;
    const below = scrollHeight - scrollTop - clientHeight < 40;
    this.lines.append(...lines.slice(-mostLines).map((line) => el('li', { 'data-level': line.level },
      el('time', {}, line.time ? clock(line.time) : ''), ' ', el('b', {}, line.level ?? ''), ' ', line.message ?? '',
      el('span', {}, Object.entries(line).filter(([key]) => !own.has(key)).map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join('')))));
    while (this.lines.childElementCount > mostLines) this.lines.firstElementChild.remove();
    if (below) this.lines.scrollTop = this.lines.scrollHeight;
  }

  end() {
    this.stop.abort();
  }
}
