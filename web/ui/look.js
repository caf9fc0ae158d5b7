// look asks the server how a stream is doing, by its HLS playlists, whichever
// player is chosen. It answers one of
//   {is: 'absent'}               nobody publishes it (yet, or any more)
//   {is: 'live', ...}            and what multivariant.js reads of it: first, leftOut, variants, sounds;
//                                list, the first variant's playlist; it changes while an encoder sends
//   {is: 'ended'}                the playlist says that nothing will follow
//   {is: 'refused', detail}      this viewer may not watch (any more)
//   {is: 'unreachable', detail}  no answer, or one that makes no sense

import { firstVariant, read } from './multivariant.js';

// patience is in ms; the server may hold an answer until there is something to play.
export async function look(url, signal, patience = 15_000) {
  try {
    let playlist = await get(url, signal, patience);
    const found = read(playlist);
    const variant = firstVariant(playlist);
    if (variant) playlist = await get(new URL(variant, url), signal, patience);
    return { is: /^#EXT-X-ENDLIST/m.test(playlist) ? 'ended' : 'live', first: variant, list: playlist, ...found };
  } catch (error) {
    if (error instanceof Absent) return { is: 'absent' };
    if (error instanceof Refused) return { is: 'refused', detail: error.message };
    return { is: 'unreachable', detail: error.message };
  }
}

// 503 is a publication that has no complete segment yet.
class Absent extends Error {}
const absent = new Set([404, 410, 503]);

class Refused extends Error {}
const refused = new Set([401, 403]);

async function get(url, signal, patience) {
  const response = await fetch(url, {
    cache: 'no-store',
    signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
  });
  if (absent.has(response.status)) throw new Absent();
  if (refused.has(response.status)) throw new Refused((await response.text()).trim());
  if (!response.ok) throw new Error(`${new URL(url).pathname}: HTTP status ${response.status}`);
  const text = await response.text();
  if (!text.startsWith('#EXTM3U')) throw new Error(`${new URL(url).pathname} is not a playlist`);
  return text;
}
