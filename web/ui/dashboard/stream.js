// The page of one stream.

import { copyable, el, put, table, unless } from './dom.js';
import { Fault, ask, query } from './api.js';
import { Chart } from './charts.js';
import { EventList } from './eventlist.js';
import { Groups } from './gop.js';
import { Preview } from './preview.js';
import { how, playerPage } from './publish.js';
import { question, say, tell } from './question.js';
import { readers, relays } from './relays.js';
import { Timeline } from './timeline.js';
import { bits, bytes, clock, count, day, frames, lasting, latency, path, seconds, severities, since, states, viewers } from './words.js';

const whiles = [['600', '10 minutes'], ['60', '1 minute'], ['3600', '1 hour'], ['86400', '1 day'], ['604800', '7 days']];

export class StreamPage {
  every = 2000;

  constructor(view, name) {
    this.name = name;
    this.title = name;
    this.path = path(name);
    [this.app, this.key] = name.split('/');
    this.preview = new Preview(name, { quality: 'fit', controls: true });
    this.badge = el('span', { class: 'badge' }, '');
    this.sentence = el('p', { class: 'sentence', role: 'status' }, '');
    this.actions = el('div', { class: 'actions' });
    this.advice = el('div');
    this.facts = el('section', { class: 'panel', hidden: true });
    this.health = el('section', { class: 'panel health', 'aria-labelledby': 'health-title' }, el('h2', { id: 'health-title' }, 'Health'), this.advice);
    this.absent = el('section', { class: 'panel empty', hidden: true });
    this.charts = {
      bitrate: new Chart({ title: 'Bit rate', write: bits }), frames: new Chart({ title: 'Frame rate', write: frames }),
      latency: new Chart({ title: 'Latency, frame to part', write: latency }), viewers: new Chart({ title: 'Viewers', write: count, whole: true }),
    };
    this.groups = new Groups();
    this.timeline = new Timeline();
    this.tracks = el('section', { class: 'panel' });
    this.publishers = el('section', { class: 'panel' });
    this.sessions = el('section', { class: 'panel' });
    this.relays = el('section', { class: 'panel', hidden: true });
    this.readers = el('section', { class: 'panel', hidden: true });
    this.events = new EventList({ only: name, most: 30, title: 'What happened' });
    this.rest = el('div', { class: 'rest' },
      el('div', { class: 'charts' }, Object.values(this.charts).map(({ figure }) => figure)),
      this.groups.section, this.timeline.section, this.tracks, this.publishers, this.sessions, this.relays, this.readers);
    put(view,
      el('p', { class: 'crumb' }, el('a', { href: '#/' }, '← All streams')),
      el('div', { class: 'title' }, el('h1', {}, name), this.badge, this.actions),
      this.sentence, this.absent,
      el('div', { class: 'first' }, el('div', { class: 'stage' }, this.preview.box), el('div', { class: 'stack' }, this.health, this.facts)),
      this.rest, this.events.section);
    this.first = view.querySelector('.first');
  }

  async look(signal, server) {
    const one = query({ app: this.app, name: this.key, limit: 1 });
    const rendition = this.groups.choice.value;
    const of = query({ stream: this.name });
    let stream, history, timeline, pictures, passed, read;
    try {
      [stream, history, timeline, pictures, passed, read] = await Promise.all([
        ask(`streams/${this.path}`, { signal }), ask(`history?${one}`, { signal }), ask(`streams/${this.path}/timeline`, { signal }),
        ask(`streams/${this.path}/frames?${query({ rendition })}`, { signal }), ask(`relays?${of}`, { signal }), ask(`readers?${of}`, { signal }),
      ]);
    } catch (error) {
      if (error instanceof Fault && error.status === 404) return this.gone(server, signal);
      throw error;
    }
    this.absent.hidden = true;
    this.first.hidden = this.rest.hidden = false;
    this.show(stream, server);
    this.showPassedOn(passed.relays, read.readers);
    const series = history.streams.find(({ name }) => name === this.name);
    if (series) for (const [key, chart] of Object.entries(this.charts)) chart.draw(series[key], Date.parse(history.at) / 1000, history.step);
    this.groups.offer(stream.renditions.filter(({ width }) => width));
    this.groups.draw(pictures);
    this.timeline.draw(timeline);
  }

  // gone says that nobody publishes it, and how to.
  async gone(server, signal) {
    const { streams } = await ask('refused', { signal });
    const refused = streams.find(({ name }) => name === this.name);
    this.preview.want(false, 'absent', '');
    this.absent.hidden = false;
    this.first.hidden = this.rest.hidden = true;
    this.state('absent', 'Not there', refused ? `Nobody may publish it until ${day(refused.until)}: an operator refuses it.` : 'Nobody publishes it, or it ended a while ago. This page shows it as soon as somebody does.');
    this.offer({ refusedUntil: refused?.until }, null);
    unless(this.absent, [server.ports, server.needs], () => put(this.absent, el('h2', {}, `Publish ${this.name}`), how(server, this.name)));
  }

  state(is, badge, sentence) {
    this.badge.dataset.is = is;
    put(this.badge, badge);
    put(this.sentence, sentence);
  }

  show(stream, server) {
    this.stream = stream;
    const words = {
      live: () => (stream.viewers ? `On air, with about ${viewers(stream.viewers)}.` : 'On air. Nobody watches it now.'),
      waiting: () => 'Its encoder was lost. The stream waits for it, and goes on where it was when the encoder comes back; if it stays away, the stream ends.',
      ended: () => 'It is over. What is left of it can be watched for a moment yet. It begins anew when somebody publishes it.',
    }[stream.state]();
    const refused = stream.refusedUntil ? ` Nobody may publish it until ${day(stream.refusedUntil)}: an operator refuses it.` : '';
    this.state(stream.state, states[stream.state], words + refused);
    this.preview.want(!document.hidden, stream.state, { live: '', waiting: 'Waiting for its encoder', ended: 'It is over' }[stream.state]);
    this.offer(stream, playerPage(server, this.path));
    this.showHealth(stream);
    this.showTracks(stream);
    this.showPublishers(stream);
    this.showSessions(stream);
  }

  offer(stream, watch) {
    unless(this.actions, [stream.state, stream.refusedUntil, watch], () => put(this.actions,
      watch && el('a', { class: 'button', href: watch, target: '_blank', rel: 'noreferrer' }, 'Player page'),
      stream.refusedUntil
        ? el('button', { type: 'button', 'data-focus': 'admit', onclick: () => tell(`refused/${this.path}`, 'DELETE', `${this.name} may be published again.`) }, 'Let it be published')
        : el('button', { type: 'button', 'data-focus': 'refuse', onclick: () => this.askRefuse() }, 'Refuse…'),
      stream.state && stream.state !== 'ended' && el('button', { type: 'button', class: 'danger', id: 'end-stream', 'data-focus': 'end', onclick: () => this.askEnd() }, 'End…')));
  }

  askEnd() {
    const n = this.stream?.viewers ?? 0;
    question({
      title: `End ${this.name}?`,
      text: `${!n ? 'Nobody watches it now.' : `${n === 1 ? 'One viewer watches it, and will see its end.' : `About ${count(n)} viewers watch it, and will see its end.`}`} Its encoder is told so; most encoders come back at once, unless the stream is refused for a while.`,
      yes: 'End the stream', dangerous: true,
      choice: { label: 'And refuse it for', options: [['', 'no time: it may come back'], ...whiles] },
      done: async (refuse) => {
        await ask(`streams/${this.path}?${query({ refuse })}`, { method: 'DELETE' });
        say(`${this.name} was ended.`);
        document.dispatchEvent(new Event('again'));
      },
    });
  }

  askRefuse() {
    question({
      title: `Refuse ${this.name}?`,
      text: 'Nobody can begin to publish it for that time. Who publishes it now goes on.',
      yes: 'Refuse it', dangerous: true,
      choice: { label: 'For', options: whiles },
      done: async (time) => {
        await ask(`refused/${this.path}?${query({ for: time })}`, { method: 'PUT' });
        say(`${this.name} is refused.`);
        document.dispatchEvent(new Event('again'));
      },
    });
  }

  showHealth({ health, state, sessions }) {
    const { measured } = sessions.find((one) => !one.ended && one.measured) ?? {};
    unless(this.advice, [health, state], () => put(this.advice,
      health.length ? null : el('p', { class: 'well' }, state === 'live' ? 'Nothing is wrong with what comes.' : 'Nothing comes, so there is nothing to judge.'),
      el('ul', { class: 'advice' }, health.map((advice, i) => el('li', { 'data-severity': advice.severity },
        el('p', {}, el('b', {}, severities[advice.severity]), ` ${advice.pushed ? `${advice.pushed}, ` : ''}${advice.text}.`),
        advice.obs && el('p', { class: 'set' }, el('span', {}, 'OBS'), el('span', {}, advice.obs)),
        advice.ffmpeg && el('div', { class: 'set' }, el('span', {}, 'ffmpeg'), copyable(advice.ffmpeg, 'Copy what to set in ffmpeg', `ffmpeg-${i}`)))))));
    this.facts.hidden = !measured;
    unless(this.facts, measured ?? null, () => put(this.facts,
      measured && el('h2', {}, 'As it comes from the encoder'),
      measured && el('dl', { class: 'facts' }, facts(measured).map(([term, text]) => el('div', {}, el('dt', {}, term), el('dd', {}, text))))));
  }

  showTracks({ renditions, sessions }) {
    const measured = sessions.filter(({ ended }) => !ended).flatMap((session) => session.measured?.tracks ?? []);
    unless(this.tracks, [renditions, measured.map(({ id, frames: f }) => [id, f])], () => put(this.tracks, el('h2', {}, 'Tracks'), renditions.length
      ? table('Tracks of the stream', ['Track', 'Codec', 'Picture', 'Bit rate', 'Frames', 'Listed', 'In memory'], renditions.map((one) => [
        one.id + (one.awaySince ? ` (away since ${clock(one.awaySince)})` : ''), el('code', {}, one.codec), one.width ? `${one.width} × ${one.height}` : '–',
        `${bits(one.averageBitrate)}${one.peakBitrate ? `, up to ${bits(one.peakBitrate)}` : ''}`,
        one.width && renditions.filter(({ width }) => width).length === measured.filter(({ id }) => id.startsWith('v')).length ? frames(measured.find(({ id }) => id === one.id)?.frames) : '–',
        `${one.segments} segments, ${seconds(one.seconds)}`, bytes(one.bytes),
      ]))
      : el('p', { class: 'dim' }, 'None yet: the first keyframe has not come.')));
  }

  showPublishers({ contributors }) {
    const alone = contributors.length < 2;
    unless(this.publishers, contributors, () => put(this.publishers, el('h2', {}, alone ? 'Publisher' : 'Publishers'), contributors.length
      ? table('Who publishes', ['Name', 'From', 'Software', 'Since', 'Place', ''], contributors.map((one, i) => [
        one.pushed, one.remote, one.software || '–', el('time', { datetime: one.began }, clock(one.began)),
        el('span', { class: 'badge', 'data-is': one.onAir ? 'live' : 'waiting' }, one.onAir ? 'On air' : 'Stands by'),
        one.onAir || alone ? '' : el('button', { type: 'button', 'data-focus': `switch-${i}`, onclick: () => this.askSwitch(one) }, 'Switch…'),
      ]))
      : el('p', { class: 'dim' }, 'Nobody publishes it now.'),
    contributors.filter(({ lock }) => lock?.why).map(({ pushed, lock }) => el('p', { class: 'dim' }, `${pushed}: ${lock.why}.`))));
  }

  askSwitch({ pushed, remote, software }) {
    question({
      title: `Switch to ${remote}?`,
      text: `${software || 'The encoder'} at ${remote} goes on air for ${pushed} at its next keyframe, and the one that is on air stands by.`,
      yes: 'Switch',
      done: async () => {
        await ask(`streams/${this.path}/switch?${query({ pushed })}`, { method: 'POST' });
        say(`${remote} goes on air at its next keyframe.`);
        document.dispatchEvent(new Event('again'));
      },
    });
  }

  showSessions({ sessions }) {
    const shown = sessions.slice(0, 50);
    unless(this.sessions, shown.map(({ id, ended, bytes: n, measured }) => [id, ended, n, measured?.at]), () => put(this.sessions, el('h2', {}, 'Sessions of the last hour'), shown.length
      ? table('Sessions', ['Began', 'Lasted', 'From', 'Software', 'Let in by', 'Came', 'End'], shown.map((one) => [
        el('time', { datetime: one.began, title: day(one.began) }, clock(one.began)),
        lasting(one.ended ? (Date.parse(one.ended) - Date.parse(one.began)) / 1000 : since(one.began)),
        `${one.remote}${one.tls ? ' (TLS)' : ''}`, one.software || '–', one.by || 'its network', one.bytes ? bytes(one.bytes) : '–',
        one.ended ? one.why : el('span', { class: 'ending' }, 'goes on ', el('button', { type: 'button', 'data-focus': `end-${one.id}`, onclick: () => this.askEndSession(one) }, 'End…')),
      ]))
      : el('p', { class: 'dim' }, 'None.')));
  }

  showPassedOn(passed, read) {
    const shown = read.slice(0, 50);
    this.relays.hidden = !passed.length;
    this.readers.hidden = !read.length;
    unless(this.relays, passed, () => put(this.relays, el('h2', {}, 'Relays'), relays(passed, false)));
    unless(this.readers, [read.length, shown], () => put(this.readers, el('h2', {}, 'Played by RTMP'), readers(shown),
      read.length > shown.length && el('p', { class: 'dim' }, `And ${count(read.length - shown.length)} more.`)));
  }

  askEndSession({ id, remote }) {
    question({
      title: 'End this session?',
      text: `The connection of ${remote} is closed, as if it were lost: the stream waits for its encoder, which may come back at once.`,
      yes: 'End the session', dangerous: true,
      done: async () => {
        await ask(`sessions/${encodeURIComponent(id)}`, { method: 'DELETE' });
        say('The session was ended.');
        document.dispatchEvent(new Event('again'));
      },
    });
  }

  hear(events) {
    this.events.hear(events);
  }

  end() {
    this.preview.stop();
    for (const chart of Object.values(this.charts)) chart.end();
  }
}


// facts are what was measured of an encoder, in words.
function facts({ tracks, pace, jitter, stalls, longestStall, lead, drift, dropped, mended }) {
  const [picture] = tracks.filter(({ id }) => id.startsWith('v'));
  const keys = picture?.keyframes ?? [];
  return [
    picture && ['Frames', `${frames(picture.frames)}${picture.statedFrames ? `, stated ${frames(picture.statedFrames)}` : ''}`],
    picture && ['Bit rate of the picture', `${bits(picture.bitrate)}${picture.statedBitrate ? `, stated ${bits(picture.statedBitrate)}` : ''}`],
    keys.length > 0 && ['Keyframes', `every ${seconds(keys.at(-1))}`],
    pace > 0 && ['Pace', `${pace.toFixed(2)} s of media a second`],
    ['Network', stalls ? `stood still ${stalls} times in a minute, for up to ${seconds(longestStall)}` : `frames come up to ${seconds(jitter)} late`],
    picture && tracks.length > 1 && ['Sound beside the picture', Math.abs(lead) < 0.02 ? 'together' : `${seconds(Math.abs(lead))} ${lead > 0 ? 'early' : 'late'}`],
    drift !== 0 && ['Clock', `${Math.round(Math.abs(drift))} millionths ${drift > 0 ? 'fast' : 'slow'}`],
    ['In the last minute', `${count(dropped)} frames dropped, ${count(mended)} timestamps mended`],
  ].filter(Boolean);
}
