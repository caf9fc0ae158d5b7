// The player page. One loop decides what the viewer sees:
//
//        +--------------------------- look at the playlist <--------------------------+
//        |            |               |             |                                  |
//     absent        ended        unreachable      live                                 |
//        |            |          or refused         |                                  |
//        v            v               v             v                                  |
//    "waiting"     "ended"         "error"      "starting" -> "live" -> ended, failed  |
//        +---- 2 s ---+---- 3 s ------+---- 2 s ----+------------- at once ------------+
//
// While it is "live" and the picture stands still, the page asks the server why: the
// encoder is "away", or there is an "error" on the way. Then the player stays, and goes
// on by itself.
//
// Choosing another player aborts the loop, takes the old player down completely
// and starts a new loop.
//
// A playback is what play-hls.js, play-dash.js and play-native.js start:
//   player     the library's own object, or null
//   name       for people, with its version
//   latency()  seconds behind live, or null
//   target()   the latency it aims for, or null
//   aim(to)    makes it aim for that many seconds, or with null for what the stream
//              asks for; aim itself is null where that can't be said
//   level()    {bitrate, frameRate, codecs} of what is playing, as far as known
//   pictures() [{id, height, bitrate, on}], the qualities to choose from
//   see(id)    plays that one, or with null lets the player choose
//   chooses()  tells whether the player chooses: also where the one that was to be seen is gone
//   goLive()   jumps to the live edge
//   stay(on)   lets the viewer stay where he went, or comes near live again by itself;
//              stay itself is null where the browser decides
//   calm()     never changes the speed any more; null where nothing does
//   sounds()   [{name, language, on}], the tracks of sound to choose from
//   hear(i)    plays the i-th of them
//   stop()     takes it down and empties the video element
// It is told what was found in the multivariant playlist: first, the URI of the first
// variant, pictures (names by id), sounds, and whether to be silent: this browser can't decode the sound.
// It reports through tell.note (every error), tell.failed (it has given up) and tell.again (it is to begin
// anew: there is something that it doesn't know).

import { controls, toast } from './controls.js';
import { copyButtons, showAddress } from './copy.js';
import { byElement, byMSE, judge, sentence } from './decode.js';
import { dialogs } from './dialogs.js';
import { embedCode } from './embed.js';
import { look } from './look.js';
import { call, drawMenus } from './menus.js';
import { meta } from './meta.js';
import { playDASH } from './play-dash.js';
import { playHLS } from './play-hls.js';
import { playNative } from './play-native.js';
import { address, needs, open } from './publishing.js';
import { draw, forget, measure } from './stats.js';
import { watermark } from './watermark.js';

const $ = (id) => document.getElementById(id);
const video = $('video');
const stage = $('stage');

// The page is at /APP/NAME/, and in a frame at /APP/NAME/embed; below that is all else.
const pageURL = new URL('./', location.origin + location.pathname).href;
const hlsURL = new URL('index.m3u8', pageURL).href;
const dashURL = new URL('index.mpd', pageURL).href;
const [app = '', name = ''] = new URL(pageURL).pathname.split('/').filter(Boolean).slice(-2).map(decodeURIComponent);

const missing = meta('missing').split(' ').filter(Boolean);
const mse = 'MediaSource' in window || 'ManagedMediaSource' in window;
const native = video.canPlayType('application/vnd.apple.mpegurl') !== '';

const kinds = {
  hls: { start: playHLS, url: hlsURL, usable: mse && !missing.includes('hls.js'), decodes: byMSE },
  dash: { start: playDASH, url: dashURL, usable: mse && !missing.includes('dash.js'), decodes: byMSE },
  native: { start: playNative, url: hlsURL, usable: native, decodes: byElement },
};

// What the page is doing now.
let kind = null;
let state = 'starting';
let playback = null;
let loop = null;      // the AbortController of the running loop
let played = false;   // has this page shown a picture of this stream?
let stalls = 0;
let stalled = false;  // a stall is counted and has not ended
let jumped = false;   // has it sought since watch looked last?
let movesFrom = null; // currentTime when the picture began to move; loading before that is no stall
let pausedAt = null;
let pausedBy = null;  // 'viewer' or 'browser', while it is paused
let used = -Infinity; // ms: when the viewer used the page last
let resumed = 0;      // times that this playback was put on again by itself
let pausedFor = 0;    // s, for players that cannot say how far behind they are
const errors = [];

window.sluice = {
  video,
  errors,
  get player() { return playback?.player ?? null; },
  get kind() { return kind; },
  get stalls() { return stalls; },
  stats: () => ({ ...measure(video, playback), state }),
};

// ---- the loop ----

function choose(wanted) {
  if (!kinds[wanted]?.usable || wanted === kind) return;
  loop?.abort();
  takeDown();
  kind = wanted;
  $('kinds').value = kind;
  loop = new AbortController();
  run(kinds[kind], loop.signal);
}

async function run(how, signal) {
  let failures = 0;
  while (!signal.aborted) {
    const found = await look(hlsURL, signal);
    if (signal.aborted) return;
    const { variants = [] } = found;
    const plays = judge(variants, how.decodes);
    const said = plays === 'picture' ? [sentence(variants, how.decodes)] : [];
    tellAll(said, found);
    if (found.is === 'live' && plays === 'nothing') {
      const other = better(variants);
      if (other) return choose(other);
      show('error', { title: 'This browser can’t play this stream', text: sentence(variants, how.decodes), detail: variants.join('\n') });
      await sleep(5000, signal);
    } else if (found.is === 'absent' && !played) {
      show('waiting');
      await sleep(2000, signal);
    } else if (found.is === 'absent' || found.is === 'ended') {
      show('ended');
      await sleep(3000, signal);
    } else if (found.is === 'unreachable') {
      show('error', noAnswer(found));
      await sleep(2000, signal);
    } else if (found.is === 'refused') {
      show('error', {
        title: 'You may not watch this stream any more',
        text: 'Open it again by the address that you were given, or ask for a new one. The server says:',
        detail: found.detail,
      });
      await sleep(15_000, signal);
    } else {
      if (failures === 0 || state === 'live') show('starting');
      const again = setTimeout(async () => { // some of it shows after a while only
        tellAll(said, await look(hlsURL, signal));
      }, 10_000);
      const end = await play(how, { ...found, silent: plays === 'picture' }, signal);
      clearTimeout(again);
      if (signal.aborted) return;
      if (end.ended || end.was === 'live') failures = 0;
      if (end.failed) {
        failures++;
        const { is } = await look(hlsURL, signal);
        if (signal.aborted) return;
        if (is === 'live') show('error', { text: 'It tries again by itself. Another player may do better: “Play by”, behind the button with the sliders.', ...end.failed });
      }
      // Quick the first time, patient when it keeps failing.
      await sleep(end.failed ? Math.min(1000 * 2 ** failures, 15_000) : 1000, signal);
    }
  }
}

// better is a player that can play these variants, where the one that runs can't
// and the viewer hasn't chosen it.
function better(variants) {
  if (location.hash.slice(1) === kind) return undefined;
  return Object.keys(kinds).find((k) => kinds[k].usable && judge(variants, kinds[k].decodes) !== 'nothing');
}

// play plays until the stream ends or the player gives up. It resolves with
// {ended}, {failed: {title, detail}} or neither, and the state that was reached.
async function play(how, found, signal) {
  takeDown();
  forget();
  pausedFor = 0;
  movesFrom = null;
  pausedBy = null;
  resumed = 0;
  // one is this playback's own life: it ends with the loop's, or before.
  const one = new AbortController();
  const life = AbortSignal.any([signal, one.signal]);
  let moved = false; // from then on it is the viewer who says when it plays
  let at = 0;        // currentTime when it was shown last

  const end = await new Promise((resolve) => {
    const on = (event, act) => video.addEventListener(event, act, { signal: life });
    const failed = (title, detail) => resolve({ failed: { title, detail } });
    life.addEventListener('abort', () => resolve({}));

    on('canplay', () => { if (!moved) begin(); });
    on('pause', () => paused(life));
    on('seeking', () => {
      // Players jump forward; back goes the viewer alone, by what the browser offers.
      if (video.currentTime < at - 1.5) playback?.stay?.(true);
      jumped = true;
    });
    on('timeupdate', () => { if (!video.seeking) at = video.currentTime; });
    on('playing', () => {
      pausedBy = null;
      movesFrom ??= video.currentTime;
      moved = true;
      stalled = false;
      if (state !== 'away') show('live'); // a seek in what is left is not the encoder's return
    });
    on('waiting', () => {
      const starting = movesFrom === null || Math.abs(video.currentTime - movesFrom) < 0.5;
      if (starting || video.seeking || video.paused || stalled) return;
      stalled = true;
      stalls++;
    });
    on('ended', () => resolve({ ended: true }));
    watch(life, (is) => resolve({
      live: { failed: { title: 'The picture stood still', detail: 'no progress for 15 s' } },
      ended: { ended: true },
      absent: { ended: true },
    }[is] ?? {}));

    const tell = {
      failed,
      again: () => resolve({}),
      note: ({ fatal, message }) => { if (errors.length < 200) errors.push({ at: new Date().toISOString(), kind, fatal, message }); },
    };
    how.start(video, how.url, tell, life, found).then((started) => {
      if (life.aborted) started.stop();
      else playback = started;
    }, (error) => {
      if (life.aborted) return;
      tell.note({ fatal: true, message: error.message });
      failed('The player cannot be started', error.message);
    });
  });

  one.abort();
  if (end.ended && stalled) stalls--; // it was the end, not a stall
  stalled = false;
  if (!end.ended) takeDown(); // an ended one stays, with its last frame
  return { ...end, was: moved ? 'live' : state };
}

// watch asks the server when the picture stands still. It says so where the encoder is
// away or the server can't be reached. It gives the answer to gone if there will be no
// more of it, and "back" where the encoder is back and the player doesn't see it. A player
// that jumps makes no progress.
async function watch(signal, gone) {
  let last = video.currentTime;
  let since = performance.now(); // it stands still
  let asked = since;
  let list = { text: '', since }; // the playlist as it was found last, and from when on
  let back = Infinity;           // the encoder is
  while (!signal.aborted) {
    await sleep(500, signal);
    const now = performance.now();
    const moves = video.currentTime !== last && !jumped;
    last = video.currentTime;
    jumped = video.seeking;
    if (moves && (state === 'away' || state === 'error')) goesOn();
    if (moves || (state === 'live' && video.paused) || document.hidden) {
      since = now;
      back = Infinity;
      continue;
    }
    if (now - back > 3000) return gone('back'); // dash.js stands there for good
    if (now - since < (state === 'starting' ? 6000 : 1500) || now - asked < (state === 'away' ? 3000 : 1500)) continue;
    asked = now;
    const found = await look(hlsURL, signal, 8000);
    if (signal.aborted) return;
    if (['ended', 'absent', 'refused'].includes(found.is)) return gone(found.is);
    if (found.is === 'unreachable') {
      show('error', noAnswer(found));
      continue;
    }
    if (found.list !== list.text) {
      list = { text: found.list, since: performance.now() };
      if (state === 'away' || state === 'error') {
        goesOn();
        back = since = performance.now();
      }
    } else if (performance.now() - list.since > 2500 * partTarget(found.list)) {
      show('away');
      continue;
    }
    if (now - since > 15_000) return gone('live');
  }
}

// partTarget is in seconds: an encoder that sends changes the playlist once in each.
const partTarget = (list) => Math.max(0.5, Number(/PART-TARGET=([\d.]+)/.exec(list)?.[1]) || 1);

function goesOn() {
  if (state === 'away') toast('The encoder is back');
  show('live');
}

// begin starts the picture; a browser that forbids it gets a button.
async function begin() {
  try {
    await video.play();
  } catch (error) {
    if (error.name !== 'NotAllowedError') return; // an interrupted start is followed by another
    offer();
  }
}

function offer() {
  card({ title: 'Ready', text: 'This browser wants to be asked.', button: 'Play', act: begin });
}

// paused finds out who wanted that. A viewer who has just used the page, or
// looks elsewhere, did, and stays where he is. Otherwise it was the browser:
// WebKit takes a change of speed for sound that nobody asked for. It is put on
// again, muted and at one speed; where that doesn't last, there is a button.
async function paused(life) {
  pausedBy = 'viewer';
  if (video.ended || !['live', 'away'].includes(state)) return;
  playback?.stay?.(true);
  // Full screen and picture in picture have buttons of their own.
  const elsewhere = document.hidden || document.pictureInPictureElement || video.webkitDisplayingFullscreen;
  if (performance.now() - used < 1000 || elsewhere) return;
  const before = playback;
  await sleep(300, life); // a player that recovers puts it on again by itself
  if (life.aborted || video.ended || playback !== before) return;
  playback?.stay?.(false);
  if (!video.paused) return;
  pausedBy = 'browser';
  if (resumed++ > 0) return offer();
  playback?.calm?.();
  if (used < 0) video.muted = true;
  begin();
}

function takeDown() {
  if (!playback) return;
  keepFrame();
  playback.stop();
  playback = null;
}

// keepFrame leaves the last picture in place while there is no video.
function keepFrame() {
  if (!video.videoWidth || video.readyState < 2) return;
  const still = $('still');
  still.width = video.videoWidth;
  still.height = video.videoHeight;
  still.getContext('2d').drawImage(video, 0, 0);
  still.hidden = false;
}

let wakeUp = () => {};
function sleep(ms, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener('abort', wake);
    if (ms >= 1000) wakeUp = wake;
  });
}

// ---- what is shown ----

function show(next, problem) {
  state = next;
  stage.dataset.state = next;
  $('live').textContent = 'Live';
  document.title = `${next === 'live' ? '● ' : ''}${app}/${name} – sluice`;
  if (next === 'live') {
    played = true;
    if (video.paused && pausedBy === 'browser') return; // its card stays
    $('still').hidden = true;
    card(null);
  } else if (next === 'starting') {
    card(null);
  } else if (next === 'waiting') {
    // Who needs a key to publish knows more than the address.
    const publish = open && !needs.length;
    card({ title: 'Waiting for the stream to start…', text: publish ? 'It plays here by itself as soon as somebody publishes to' : 'It plays here by itself as soon as it does.', publish });
  } else if (next === 'away') {
    card({ title: 'The encoder is away', text: 'Its connection was lost. The picture goes on by itself when it is back.' });
  } else if (next === 'ended') {
    card({ title: 'The stream has ended', text: 'It plays here by itself when it starts again.' });
  } else {
    card({ title: problem.title, text: problem.text ?? 'It tries again by itself.', detail: problem.detail, button: playback ? '' : 'Try now', act: () => wakeUp() });
  }
  tick();
}

// noAnswer are the words for a server that can't be reached.
const noAnswer = ({ detail }) => (navigator.onLine
  ? { title: 'The server does not answer', text: 'It tries again by itself. If other pages do not open either, it is your connection.', detail }
  : { title: 'You are offline', text: 'This device has no network. The picture goes on by itself when it has.' });

// card puts words on the stage; null takes them away.
function card(words) {
  const before = $('card-title').textContent;
  $('card').hidden = !words;
  if (!words) return;
  if (before !== words.title) $('card-title').textContent = words.title; // announced once, not at every try
  $('card-text').textContent = words.text;
  $('card-publish').hidden = !words.publish;
  $('card-detail').hidden = !words.detail;
  $('card-detail').textContent = words.detail ?? '';
  $('card-button').hidden = !words.button;
  $('card-button').textContent = words.button ?? '';
  $('card-button').onclick = words.act ?? null;
}

// tick draws everything that changes by itself, twice a second.
function tick() {
  const live = (state === 'live' || state === 'away') && playback !== null;
  const now = measure(video, playback);
  draw({ video, playback, now, stalls, idle: !live });

  drawMenus(live ? playback : null);
  $('poster').toggleAttribute('hidden', video.videoWidth > 0 || !$('still').hidden);
  $('unmute').hidden = !(state === 'live' && live && video.muted);
  $('spinner').hidden = !((state === 'starting' && $('card').hidden) || (state === 'live' && live && !video.paused && video.readyState < 3));

  const standing = pausedFor + (pausedAt === null ? 0 : (performance.now() - pausedAt) / 1000);
  const target = playback?.target() ?? 3;
  const late = now.latency === null ? standing : now.latency - target;
  const behind = live && (late > 4 || (video.paused && standing > 1));
  $('live').classList.toggle('behind', behind);
  $('live').textContent = behind ? `${Math.round(now.latency ?? standing)} s behind` : 'Live';
  $('golive').hidden = !behind;
}

function goLive() {
  playback?.stay?.(false);
  pausedFor = 0;
  pausedAt = null;
  movesFrom = null;
  playback?.goLive();
  video.play().catch(() => {});
  tick();
}

// goBy goes so many seconds back or forward, in what there is; forward ends at live.
function goBy(by) {
  if (!video.seekable.length) return;
  const target = playback?.target() ?? 0;
  const latency = playback?.latency() ?? null;
  if (by > 0 && latency !== null && latency - by < target + 0.5) return goLive();
  const from = video.seekable.start(0);
  const to = video.seekable.end(video.seekable.length - 1);
  video.currentTime = Math.min(Math.max(video.currentTime + by, from), to);
  toast(by < 0 ? `${-by} seconds back` : `${by} seconds forward`);
}

// ---- the page ----

// tellAll says what the server does of a stream: what can't be played, and what to set in the
// encoder. said is what this browser adds.
function tellAll(said, { leftOut = [], keyframes = [], pictures }) {
  if (pictures) call(pictures);
  tellLeftOut(said.concat(leftOut));
  $('keyframes').textContent = keyframes.join(' ');
  $('keyframes').hidden = keyframes.length === 0;
}

function tellLeftOut(list) {
  if ($('left-out').textContent !== list.join(' · ')) $('left-out').textContent = list.join(' · ');
  $('left-out').hidden = list.length === 0;
}

function explainMissing() {
  if (!missing.length) return;
  const command = document.createElement('code');
  command.textContent = 'make web';
  $('missing').append(`${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not built in: run `, command, ' (needs Node) and rebuild');
  $('missing').hidden = false;
}

function setUp() {
  $('name').textContent = `${app}/${name}`;
  $('name').title = `${app}/${name}`;
  if (open) showAddress('publish-url', `${address(app)}/${name}`);
  showAddress('page-url', pageURL);
  showAddress('hls-url', hlsURL);
  showAddress('dash-url', dashURL);
  $('embed-code').textContent = embedCode(pageURL, `${app}/${name}`);
  // An address with a viewer's pass in it is not for others.
  $('share').hidden = /\/t\/[^/]+\/[^/]+\/[^/]+\/$/.test(new URL(pageURL).pathname);
  $('share').onclick = () => $('share-dialog').showModal();
  copyButtons();
  dialogs();
  controls(video, stage, { goLive, goBy }, watermark());
  explainMissing();

  for (const option of $('kinds').options) {
    const { usable } = kinds[option.value];
    option.disabled = !usable;
    if (option.value === 'native') option.hidden = !usable;
    if (!usable) option.text += mse ? ' (not built in)' : ' (not in this browser)';
  }
  $('kinds').onchange = () => {
    history.replaceState(null, '', `#${$('kinds').value}`);
    choose($('kinds').value);
  };
  window.addEventListener('hashchange', () => choose(location.hash.slice(1)));

  for (const event of ['pointerdown', 'keydown', 'click']) {
    document.addEventListener(event, () => { used = performance.now(); }, { capture: true });
  }
  // Keys of the keyboard and of headphones are the viewer's, too.
  for (const [action, act] of [['play', () => video.play().catch(() => {})], ['pause', () => video.pause()]]) {
    navigator.mediaSession?.setActionHandler(action, () => { used = performance.now(); act(); });
  }
  video.addEventListener('pause', () => { pausedAt = performance.now(); });
  video.addEventListener('play', () => {
    if (pausedAt !== null) pausedFor += (performance.now() - pausedAt) / 1000;
    pausedAt = null;
  });
  setInterval(tick, 500);

  const wanted = [location.hash.slice(1), 'hls', 'native', 'dash'].find((k) => kinds[k]?.usable);
  if (wanted) {
    choose(wanted);
  } else {
    state = stage.dataset.state = 'error';
    card({ title: 'No player can be used here', text: 'This browser does not play HLS by itself, and it has no player library to do it.' });
  }
}

setUp();
