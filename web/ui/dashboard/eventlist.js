// What happens, the newest first.

import { el, put } from './dom.js';
import { clock, day, events as words, path } from './words.js';

export class EventList {
  // only is a stream whose events alone are wanted.
  constructor({ only, most, title }) {
    Object.assign(this, { only, most });
    this.list = el('ol', { class: 'events', tabindex: 0, 'aria-label': title });
    this.none = el('p', { class: 'dim' }, 'Nothing yet.');
    this.section = el('section', { class: 'panel' }, el('h2', {}, title), this.none, this.list);
  }

  // hear takes events, the newest last.
  hear(events) {
    const wanted = events.filter((event) => (this.only ? event.stream === this.only : event.kind !== 'missed')).slice(-this.most);
    this.list.prepend(...wanted.reverse().map((event) => this.item(event)));
    while (this.list.childElementCount > this.most) this.list.lastElementChild.remove();
    this.none.hidden = this.list.childElementCount > 0;
    this.list.hidden = !this.none.hidden;
  }

  item(event) {
    const item = el('li', { 'data-kind': event.kind }, el('time', { datetime: event.at, title: day(event.at) }, clock(event.at)), ' ');
    const what = event.kind === 'health' && event.over ? 'Health, over' : words[event.kind] ?? event.kind;
    put(item, ...item.childNodes, el('span', {},
      event.stream && !this.only ? [el('a', { href: `#/stream/${path(event.stream)}` }, event.stream), ': '] : null,
      el('b', {}, what), event.text ? `: ${event.text}` : ''));
    return item;
  }
}
