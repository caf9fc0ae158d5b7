// All streams: a page of them at a time, whatever their number.

import { el, put, unless } from './dom.js';
import { ask, query } from './api.js';
import { Preview } from './preview.js';
import { how } from './publish.js';
import { spark } from './spark.js';
import { bits, count, frames, lasting, latency, path, severities, since, states, viewers } from './words.js';

const perPage = 20;
const points = 60; // five minutes
const mostPreviews = 6; // that play at once

const kept = { name: '', state: '', health: '', after: [] }; // while other pages are looked at

export class Overview {
  title = 'All streams';
  every = 4000; // ms between questions

  constructor(view) {
    this.rows = new Map();
    this.tiles = {
      streams: new Tile('Live streams', count), viewers: new Tile('Viewers', count),
      bitrate: new Tile('Coming in', bits), latency: new Tile('Latency, at most', latency),
    };
    this.list = el('ul', { class: 'streams', 'aria-label': 'Streams' });
    this.empty = el('section', { class: 'panel empty', hidden: true });
    this.total = el('p', { class: 'total', role: 'status' }, '');
    this.pager = el('nav', { class: 'pager', 'aria-label': 'Pages of streams', hidden: true },
      el('button', { type: 'button', onclick: () => this.turn(-1) }, 'Earlier'),
      el('span', {}, ''),
      el('button', { type: 'button', onclick: () => this.turn(1) }, 'Later'));
    this.refusals = el('p', { class: 'notice', hidden: true });
    this.previews = el('input', { type: 'checkbox', id: 'previews', onchange: () => this.remember() });
    this.previews.checked = (localStorage.getItem('previews') ?? (matchMedia('(min-width: 700px)').matches ? 'on' : 'off')) === 'on';
    put(view,
      el('h1', { class: 'unseen' }, 'All streams'),
      el('section', { class: 'tiles', 'aria-label': 'All streams together' }, Object.values(this.tiles).map((tile) => tile.figure)),
      this.refusals,
      el('form', { class: 'bar', role: 'search', 'aria-label': 'Which streams', onsubmit: (event) => event.preventDefault() },
        el('label', { class: 'grow' }, el('span', { class: 'unseen' }, 'Name begins with'), this.field('name', el('input', { type: 'search', placeholder: 'Name begins with…', autocomplete: 'off', spellcheck: 'false', value: kept.name }), 'input')),
        el('label', {}, el('span', { class: 'unseen' }, 'State'), this.field('state', this.options([['', 'Any state'], ...Object.entries(states)], kept.state), 'change')),
        el('label', {}, el('span', { class: 'unseen' }, 'Health'), this.field('health', this.options([['', 'Any health'], ['notice', 'With advice'], ['warning', 'Warning or bad'], ['bad', 'Bad']], kept.health), 'change')),
        el('label', { class: 'check' }, this.previews, 'Previews')),
      this.total, this.list, this.empty, this.pager);
    this.inView = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) target.row.seen = isIntersecting;
      this.play();
    });
  }

  options(all, chosen) {
    return el('select', {}, all.map(([value, words]) => el('option', { value, selected: value === chosen }, words)));
  }

  field(key, input, event) {
    input.addEventListener(event, () => {
      kept[key] = input.value;
      kept.after = [];
      clearTimeout(this.typing);
      this.typing = setTimeout(() => document.dispatchEvent(new Event('again')), 200);
    });
    return input;
  }

  turn(by) {
    if (by > 0) kept.after.push(this.next);
    else kept.after.pop();
    document.dispatchEvent(new Event('again'));
    scrollTo({ top: 0 });
  }

  remember() {
    localStorage.setItem('previews', this.previews.checked ? 'on' : 'off');
    this.play();
  }

  async look(signal, server) {
    const name = kept.name.trim().replace(/^\/+/, '');
    const [app, rest] = name.includes('/') ? [name.slice(0, name.indexOf('/')), name.slice(name.indexOf('/') + 1)] : ['', name];
    const which = query({ limit: perPage, after: kept.after.at(-1), state: kept.state, health: kept.health, app, name: rest });
    const [page, history, refusals] = await Promise.all([ask(`streams?${which}`, { signal }), ask(`history?points=${points}&${which}`, { signal }), ask('refusals', { signal })]);
    if (!page.streams.length && kept.after.length) { // the last page is gone
      kept.after.pop();
      return this.look(signal, server);
    }
    this.show(page, history, server, refusals.refusals.length);
  }

  show(page, history, server, refused) {
    const { total } = history;
    this.tiles.streams.show(server.streams.live, total.streams, [server.streams.waiting && `${count(server.streams.waiting)} waiting`, server.streams.bad + server.streams.warning && `${count(server.streams.bad + server.streams.warning)} unwell`].filter(Boolean).join(', '));
    this.tiles.viewers.show(server.viewers, total.viewers, 'about, in the last half minute');
    this.tiles.bitrate.show(total.bitrate.at(-1) ?? 0, total.bitrate, 'of pictures and sound');
    this.tiles.latency.show(total.latency.at(-1) ?? 0, total.latency, 'from a frame to its part');
    this.refusals.hidden = !refused;
    if (refused) put(this.refusals, `${count(refused)} ${refused === 1 ? 'publisher was' : 'publishers were'} refused in the last hour. `, el('a', { href: '#/activity' }, 'See who, and why'));

    const series = new Map(history.streams.map((one) => [one.name, one]));
    const there = new Set(page.streams.map(({ name }) => name));
    for (const [name, row] of this.rows) {
      if (there.has(name)) continue;
      this.inView.unobserve(row.item);
      row.end();
      this.rows.delete(name);
    }
    page.streams.forEach((stream, i) => {
      let row = this.rows.get(stream.name);
      if (!row) {
        row = new Row(stream.name);
        this.rows.set(stream.name, row);
      }
      if (this.list.children[i] !== row.item) this.list.insertBefore(row.item, this.list.children[i] ?? null);
      if (row.seen === undefined) this.inView.observe(row.item);
      row.show(stream, series.get(stream.name));
    });
    const any = server.streams.live + server.streams.waiting + server.streams.ended > 0;
    this.empty.hidden = page.total > 0;
    if (!page.total) {
      unless(this.empty, [any, server.ports, server.needs], () => put(this.empty, any
        ? [el('h2', {}, 'No stream is like that'), el('p', {}, 'Streams are there, but none that has this name, state and health.')]
        : [el('h2', {}, 'No streams yet'), el('p', {}, 'Nobody publishes to this server. This page shows a stream as soon as somebody does.'), ...how(server)]));
    }
    this.next = page.next;
    const first = kept.after.length * perPage;
    put(this.total, page.total ? `${count(page.total)} ${page.total === 1 ? 'stream' : 'streams'}` : '');
    this.pager.hidden = !page.next && !kept.after.length;
    const [earlier, where, later] = this.pager.children;
    earlier.disabled = !kept.after.length;
    later.disabled = !page.next;
    put(where, `${count(first + 1)}–${count(first + page.streams.length)} of ${count(page.total)}`);
    this.play();
  }

  // play lets those play that can be seen, a few at once.
  play() {
    let playing = 0;
    for (const row of [...this.list.children].map(({ row }) => row)) {
      const wanted = this.previews.checked && !document.hidden && row.seen && row.stream?.state === 'live' && playing < mostPreviews;
      if (wanted) playing++;
      row.preview.want(wanted, row.stream?.state, row.words(!this.previews.checked));
    }
  }

  end() {
    this.inView.disconnect();
    for (const row of this.rows.values()) row.end();
  }
}

// Tile is one number of all streams together.
class Tile {
  constructor(title, write) {
    this.write = write;
    this.value = el('output', {}, '–');
    this.aside = el('span', { class: 'dim' }, '');
    this.line = spark(120);
    this.figure = el('figure', { class: 'tile' }, el('figcaption', {}, title), this.value, this.aside, this.line.drawing);
  }

  show(value, values, aside) {
    put(this.value, this.write(value));
    put(this.aside, aside);
    this.line.draw(values);
  }
}

// Row is one stream of the list.
class Row {
  constructor(name) {
    this.preview = new Preview(name);
    this.badge = el('span', { class: 'badge' }, '');
    this.about = el('p', { class: 'about' }, '');
    this.advice = el('p', { class: 'said', hidden: true });
    this.meters = Object.fromEntries(Object.entries(meters).map(([key, [title]]) => {
      const line = spark(points);
      const value = el('dd', {}, '–');
      return [key, { line, value, box: el('div', { class: 'meter' }, el('dt', {}, title), value, line.drawing) }];
    }));
    this.item = el('li', { class: 'stream panel' },
      this.preview.box,
      el('div', { class: 'who' }, el('h2', {}, el('a', { href: `#/stream/${path(name)}` }, name), ' ', this.badge), this.about, this.advice),
      el('dl', { class: 'meters' }, Object.values(this.meters).map(({ box }) => box)));
    this.item.row = this;
  }

  show(stream, series) {
    this.stream = stream;
    this.item.dataset.state = stream.state;
    put(this.badge, states[stream.state]);
    this.badge.dataset.is = stream.state;
    put(this.about, sentence(stream));
    const [worst, ...others] = stream.health;
    this.advice.hidden = !worst;
    if (worst) {
      this.advice.dataset.severity = worst.severity;
      unless(this.advice, [worst.text, worst.severity, others.length], () => put(this.advice, el('b', {}, severities[worst.severity]), `: ${worst.text}`, others.length ? ` (and ${others.length} more)` : ''));
    }
    for (const [key, { line, value }] of Object.entries(this.meters)) {
      const values = series?.[key] ?? [];
      put(value, stream.state === 'live' && values.length ? meters[key][1](key === 'viewers' ? stream.viewers : values.at(-1)) : '–');
      line.draw(values);
    }
  }

  // words stand in the place of the picture.
  words(off) {
    if (!this.stream) return '';
    return { live: off ? 'Preview is off' : '', waiting: 'Waiting for its encoder', ended: 'Over' }[this.stream.state];
  }

  end() {
    this.preview.stop();
    this.item.remove();
  }
}

const meters = { bitrate: ['Bit rate', bits], frames: ['Frame rate', frames], latency: ['Latency', latency], viewers: ['Viewers', count] };

// sentence says of a stream what it is.
export function sentence(stream) {
  const best = stream.renditions.find(({ width }) => width);
  const what = [best && `${best.width} × ${best.height}`, stream.renditions.map(({ codec }) => codec.split('.')[0]).filter((codec, i, all) => all.indexOf(codec) === i).join(' + ')].filter(Boolean).join(', ');
  switch (stream.state) {
    case 'live': {
      const [first] = stream.contributors;
      return [what || 'It begins', first?.began && `published for ${lasting(since(first.began))}`].filter(Boolean).join(', ');
    }
    case 'waiting':
      return 'Its encoder was lost. It goes on when that comes back.';
    default:
      return stream.viewers ? `It is over; about ${viewers(stream.viewers)} still there.` : 'It is over.';
  }
}

