// DASH through dash.js and Media Source Extensions. See player.js for what a playback is.

import { stepOver } from './holes.js';
import { library } from './library.js';

const settings = {
  debug: { logLevel: 0 }, // errors arrive as events
  streaming: {
    buffer: { bufferToKeep: 30 }, // s kept behind, as with hls.js
    // Stay at the latency that the manifest's ServiceDescription asks for. Who
    // is too far from it (s) after an outage is there at once, by a jump.
    liveCatchup: { enabled: true, playbackRate: { min: -0.05, max: 0.05 }, maxDrift: 6 },
  },
};

// dash.js has no flag for it: these errors it gets over by itself. See
// MediaPlayer.errors: a segment, an index, an init segment, the clock, a subtitle.
const passing = new Set([12, 15, 16, 17, 18, 26, 27, 28, 29, 33]);

const sentences = {
  10: 'The server sent a manifest that cannot be read',
  11: 'The stream cannot be loaded',
  23: 'This browser cannot play the codecs of this stream',
  25: 'The stream cannot be loaded',
  31: 'The server sent a manifest that cannot be read',
  32: 'This browser cannot play the codecs of this stream',
  35: 'This browser cannot play the codecs of this stream',
};

export async function playDASH(video, url, tell, signal, found) {
  const dashjs = await library(new URL('../dist/dash.all.min.js', import.meta.url).href, 'dashjs');
  signal.throwIfAborted();

  const dash = dashjs.MediaPlayer().create();
  dash.initialize();
  dash.updateSettings(settings);
  dash.clearDefaultUTCTimingSources(); // a clock on the internet; the manifest names ours
  dash.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => {
    const code = error?.code ?? error;
    const fatal = !passing.has(code);
    const message = [code, error?.message].filter(Boolean).join(': ');
    tell.note({ fatal, message });
    if (fatal) tell.failed(sentences[code] ?? 'The browser cannot play what it received', message);
  });
  dash.attachView(video);
  dash.attachSource(url);
  stepOver(video, signal, { nudge: true });

  let seen = null; // the id of the picture that the viewer chose
  dash.on(dashjs.MediaPlayer.events.PERIOD_SWITCH_COMPLETED, () => {
    if (seen) dash.setRepresentationForTypeById('video', seen);
  });
  // On a way that has become narrow it takes some seconds to notice: each request that a jump
  // to live breaks off is one that it measures nothing by. What plays in the meantime is the least.
  video.addEventListener('waiting', () => {
    if (seen || video.seeking || !video.played.length) return;
    const least = dash.getRepresentationsByType('video').reduce((a, b) => (b.bandwidth < a.bandwidth ? b : a));
    if (dash.getCurrentRepresentationForType('video')?.id !== least.id) dash.setRepresentationForTypeById('video', least.id);
  }, { signal });
  let stays = false; // where the viewer went
  let calm = false;
  const speed = () => dash.updateSettings({ streaming: { liveCatchup: { enabled: !stays && !calm, maxDrift: stays ? NaN : settings.streaming.liveCatchup.maxDrift } } });
  const number = (n) => (Number.isFinite(n) && n > 0 ? n : null);
  return {
    player: dash,
    name: `dash.js ${dash.getVersion()}`,
    latency: () => number(dash.getCurrentLiveLatency()),
    target: () => number(dash.getTargetLiveDelay()),
    aim(wanted) {
      dash.updateSettings({ streaming: { delay: { liveDelay: wanted ?? NaN } } });
    },
    stay(on) {
      stays = on;
      speed();
      if (on) video.playbackRate = 1;
    },
    calm() {
      calm = true;
      speed();
      video.playbackRate = 1;
    },
    level() {
      const picture = dash.getCurrentRepresentationForType('video');
      const sound = dash.getCurrentRepresentationForType('audio');
      const both = [picture, sound].filter(Boolean);
      return {
        bitrate: both.reduce((sum, r) => sum + r.bandwidth, 0),
        frameRate: number(Number(picture?.frameRate)),
        codecs: both.map((r) => /codecs="?([^";]+)/.exec(r.codecs)?.[1] ?? r.codecs).join(','),
      };
    },
    pictures() {
      const on = dash.getCurrentRepresentationForType('video');
      return dash.getRepresentationsByType('video').map((r) => ({ id: r.id, height: r.height, bitrate: r.bandwidth, on: r.id === on?.id }));
    },
    chooses: () => !seen,
    see(id) {
      seen = id;
      dash.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: !id } } } });
      if (id) dash.setRepresentationForTypeById('video', id);
    },
    goLive: () => dash.seekToOriginalLive(),
    sounds() {
      const on = dash.getCurrentTrackFor('audio');
      return dash.getTracksFor('audio').map((t, i) => ({
        name: t.labels?.[0]?.text ?? found.sounds[i]?.name, language: t.lang, on: t.index === on?.index,
      }));
    },
    hear: (i) => dash.setCurrentTrack(dash.getTracksFor('audio')[i]),
    stop: () => dash.destroy(),
  };
}
