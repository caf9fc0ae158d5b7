// HLS by the browser itself: Safari, and some others. See player.js for what a playback is.

import { serverNow } from './clock.js';

const sentences = {
  2: 'The stream cannot be loaded',
  3: 'The browser cannot play what it received',
  4: 'The browser cannot play this stream by itself',
};

export async function playNative(video, url, tell, signal, found) {
  const failed = () => {
    const { code, message } = video.error;
    tell.note({ fatal: true, message: `media error ${code}: ${message}` });
    tell.failed(sentences[code] ?? 'The browser has given up', `media error ${code}: ${message}`);
  };
  video.addEventListener('error', failed);
  video.src = found.silent ? new URL(found.first, url).href : url; // a picture's own playlist has no sound

  return {
    player: null,
    name: 'the browser',
    // Only Safari says which wall clock time the picture has.
    latency() {
      const start = video.getStartDate?.().getTime();
      return start > 0 ? (serverNow() - start) / 1000 - video.currentTime : null;
    },
    target: () => null,
    aim: null, // the browser decides
    level: () => ({}),
    pictures: () => [], // the browser decides
    chooses: () => true,
    see() {},
    sounds: () => Array.from(video.audioTracks ?? [], (t) => ({ name: t.label, language: t.language, on: t.enabled })),
    hear(i) {
      for (const [j, t] of Array.from(video.audioTracks).entries()) t.enabled = j === i;
    },
    goLive() {
      const { seekable } = video;
      if (seekable.length && Number.isFinite(seekable.end(seekable.length - 1))) {
        video.currentTime = seekable.end(seekable.length - 1);
      } else {
        video.load(); // some browsers say nothing of where live is: join again
      }
    },
    stop() {
      video.removeEventListener('error', failed);
      video.removeAttribute('src');
      video.load();
    },
  };
}
