// Streams that are fetched from other servers and sent on to them, and who plays by RTMP.

import { el, table } from './dom.js';
import { bytes, clock, count, lasting, path, since } from './words.js';

const words = { idle: 'Idle', connecting: 'Connects', live: 'Live', failed: 'Failed' };
const colours = { live: 'live', failed: 'waiting' };

// relays is a table of them; whose says whether it names the streams.
export function relays(list, whose) {
  return table('Relays', [...(whose ? ['Stream'] : []), 'Way', 'Server', 'State', 'Since', 'Passed on', 'Skips', 'Failures'], list.map((one) => [
    ...(whose ? [el('a', { href: `#/stream/${path(one.stream)}` }, one.stream)] : []),
    el('span', { class: 'way' }, one.direction === 'pull' ? `comes from${one.onDemand ? ', on demand' : ''}` : 'goes to'), el('code', { class: 'server' }, one.server),
    el('span', {}, el('span', { class: 'badge', 'data-is': colours[one.state] ?? 'ended' }, words[one.state]), one.why ? ` ${one.why}${one.again ? `; tried again at ${clock(one.again)}` : ''}` : ''),
    el('time', { datetime: one.since }, clock(one.since)), one.bytes ? bytes(one.bytes) : '–', count(one.skips ?? 0), count(one.failures ?? 0),
  ]));
}

// readers is a table of who plays by RTMP.
export function readers(list) {
  return table('RTMP readers', ['Since', 'For', 'From', 'Software', 'Viewer', 'Sent', 'Skips'], list.map((one) => [
    el('time', { datetime: one.began }, clock(one.began)), lasting(since(one.began)), `${one.remote}${one.tls ? ' (TLS)' : ''}`,
    one.relay ? `${one.software || 'sluice'}, which pulls it` : one.software || '–', one.viewer || '–', one.bytes ? bytes(one.bytes) : '–', count(one.skips ?? 0),
  ]));
}
