// HLS through hls.js and Media Source Extensions. See player.js for what a playback is.

import { stepOver } from './holes.js';
import { library } from './library.js';
import { look } from './look.js';
import { idOf, silent } from './multivariant.js';
import { serverNow } from './clock.js';

const config = {
  backBufferLength: 30,        // s kept behind; hls.js keeps everything by default
  maxLiveSyncPlaybackRate: 1.1, // catch up gently; 1 would never catch up
  liveSyncOnStallIncrease: 0.3, // s farther from live after a stall; not a whole one
  errorPenaltyExpireMs: 30_000, // until a quality that was lost may be chosen again; by default never
};

// captions keep what they have of one part for the next: hls.js 1.7 drops that at each part
// but the first of a segment, so that lines that roll up never came.
const captions = (timeline) => class extends timeline {
  onFragLoading(event, data) {
    const { frag, part } = data;
    if (part && frag.sn === this.lastSn && part.index === this.lastPartIndex + 1) this.lastSn--;
    super.onFragLoading(event, data);
  }
};

// by hls.js's ErrorTypes
const sentences = {
  networkError: 'The stream cannot be loaded',
  mediaError: 'The browser cannot play what it received',
};

export async function playHLS(video, url, tell, signal, found) {
  const Hls = await library(new URL('../dist/hls.min.js', import.meta.url).href, 'Hls');
  signal.throwIfAborted();
  if (!Hls.isSupported()) throw new Error('hls.js finds no Media Source Extensions in this browser');

  const { loader, timelineController } = Hls.DefaultConfig;
  const hls = new Hls({ ...config, timelineController: captions(timelineController), ...found.silent && { pLoader: withoutSound(loader) } });
  let asked = null; // the latency that the playlist asks for
  const media = attempts(3, 20_000);
  const network = attempts(4, 30_000);

  // leave goes to another quality where one is lost and the picture waits: hls.js, which was
  // told to play that one, now and then stays with it.
  const leave = async (lost) => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const other = hls.levels?.findLastIndex((l, i) => i !== lost) ?? -1;
    if (signal.aborted || other < 0 || video.readyState > 2) return;
    hls.nextLoadLevel = other;
    hls.startLoad();
  };
  // renew begins anew where the multivariant playlist, which hls.js loads once, has a quality by now
  // that joined.
  const asks = attempts(1, 5000);
  const renew = async () => {
    if (!asks()) return;
    const { pictures = new Map() } = await look(url, signal);
    const known = hls.levels?.map((l) => idOf(l.uri)) ?? [];
    if (!signal.aborted && [...pictures.keys()].some((id) => !known.includes(id))) tell.again();
  };
  // hls.js leaves parts that are gaps out, and goes elsewhere only when a whole segment is one:
  // by then what is buffered near live is played.
  hls.on(Hls.Events.LEVEL_UPDATED, (_, { details, level }) => {
    const gone = (d) => d?.partList?.at(-1)?.gap;
    if (level !== hls.loadLevel || !gone(details)) return;
    const others = [...hls.levels.keys()].filter((i) => i !== level && !gone(hls.levels[i].details));
    if (!others.length) return renew();
    hls.loadLevel = -1; // one that was chosen by hand can't be had
    hls.levels[level].loadError++; // or it would be chosen again
    hls.nextLoadLevel = others.findLast((i) => i < level) ?? others[0];
  });
  hls.on(Hls.Events.ERROR, async (_, data) => {
    const message = [data.details, data.error?.message ?? data.reason, data.response?.code].filter(Boolean).join(': ');
    if (data.details === Hls.ErrorDetails.INTERNAL_ABORTED) return; // a request that it needs no more, as after a jump
    tell.note({ fatal: data.fatal, message });
    if (data.details === Hls.ErrorDetails.FRAG_GAP && data.frag?.type === 'main') leave(data.frag.level);
    if (!data.fatal) return;
    const incompatible = data.details === Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !incompatible && media()) {
      const paused = video.paused;
      hls.recoverMediaError(); // empties the video element, which pauses it
      if (!paused) video.play().catch(() => {});
    } else if (data.type === Hls.ErrorTypes.NETWORK_ERROR && hls.levels?.length && network()) {
      const { is } = await look(url, signal);
      if (signal.aborted) return;
      if (is === 'absent' || is === 'ended') return tell.failed('The stream has stopped', message);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      if (!signal.aborted) hls.startLoad();
    } else {
      const sentence = sentences[data.type] ?? 'The player has given up';
      tell.failed(incompatible ? 'This browser cannot play the codecs of this stream' : sentence, message);
    }
  });
  // hls.js catches up when it is near its target; far behind it would stay there,
  // so then it is a jump. Not part of config: hls.js would want a distance from live
  // beside it, and not take the playlist's any more.
  let stays = false; // where the viewer went
  let calm = false;
  hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => {
    hls.config.liveMaxLatencyDuration = stays ? Infinity : hls.targetLatency + 3 * details.targetduration;
  });
  const speed = () => { hls.config.maxLiveSyncPlaybackRate = stays || calm ? 1 : config.maxLiveSyncPlaybackRate; };
  // … but only with more than a second in its buffer, which a target as near as
  // that leaves it without: what its start was late by is one jump.
  video.addEventListener('playing', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const to = hls.liveSyncPosition;
    if (signal.aborted || to == null || hls.targetLatency > 1.2) return;
    const { buffered } = video;
    const end = buffered.length ? buffered.end(buffered.length - 1) : 0;
    if (to - video.currentTime > 0.1 && end - to > 0.2) video.currentTime = to;
  }, { once: true, signal });
  hls.attachMedia(video);
  stepOver(video, signal, { nudge: false });
  hls.loadSource(url);

  return {
    player: hls,
    name: `hls.js ${Hls.version}`,
    latency() {
      const date = hls.playingDate; // of the picture, by the server's clock
      return date ? (serverNow() - date) / 1000 : hls.latency || null; // 0 until hls.js knows
    },
    target: () => hls.targetLatency,
    aim(wanted) {
      asked ??= hls.targetLatency;
      hls.lowLatencyMode = !(wanted > 5); // by parts, or by whole segments, of which there are fewer
      hls.targetLatency = wanted ?? asked;
    },
    stay(on) {
      stays = on;
      if (on) hls.config.liveMaxLatencyDuration = Infinity;
      speed();
    },
    calm() {
      calm = true;
      speed();
      video.playbackRate = 1;
    },
    level() {
      const level = hls.levels?.[hls.currentLevel];
      if (!level) return {};
      return {
        bitrate: level.bitrate,
        frameRate: level.frameRate,
        codecs: level.attrs?.CODECS ?? [level.videoCodec, level.audioCodec].filter(Boolean).join(','),
      };
    },
    pictures() {
      return hls.levels.map((l, i) => ({ id: idOf(l.uri), height: l.height, bitrate: l.averageBitrate || l.bitrate, on: i === hls.currentLevel }));
    },
    chooses: () => hls.autoLevelEnabled, // from an error on, as where a quality is lost
    // From the next segment on that it loads: what it has buffered, near live, is little.
    see(id) { hls.loadLevel = hls.levels.findIndex((l) => idOf(l.uri) === id); },
    goLive() {
      if (hls.liveSyncPosition != null) video.currentTime = hls.liveSyncPosition;
    },
    sounds() {
      const on = hls.audioTracks[hls.audioTrack];
      return hls.allAudioTracks.map((t) => ({ name: t.name, language: t.lang, on: t.url === on?.url }));
    },
    hear: (i) => hls.setAudioOption(hls.allAudioTracks[i]),
    stop: () => hls.destroy(),
  };
}

// withoutSound takes the sounds out of the multivariant playlist. Otherwise hls.js
// drops each variant whose sound the browser can't decode, and has none left.
const withoutSound = (Loader) => class extends Loader {
  load(context, config, callbacks) {
    super.load(context, config, {
      ...callbacks,
      onSuccess(response, stats, of, ...details) {
        if (of.type === 'manifest') response.data = silent(response.data);
        callbacks.onSuccess(response, stats, of, ...details);
      },
    });
  }
};

// attempts answers true at most `most` times within `span` ms.
function attempts(most, span) {
  let made = [];
  return () => {
    const now = performance.now();
    made = made.filter((at) => now - at < span);
    return made.push(now) <= most;
  };
}
