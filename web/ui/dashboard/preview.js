// A small picture that plays: the stream's own bytes, by this address. It is no viewer,
// and needs no token of one.

import { el, put } from './dom.js';
import { library } from '../library.js';
import { here } from './api.js';
import { path } from './words.js';

const hls = new URL('../../dist/hls.min.js', import.meta.url);

export class Preview {
  // quality is 'least' for a small one, 'fit' for one as good as its place is large.
  constructor(name, { quality = 'least', controls = false } = {}) {
    this.name = name;
    this.quality = quality;
    this.video = el('video', { playsinline: true, muted: true, 'aria-label': `Preview of ${name}`, tabindex: controls ? 0 : -1, controls });
    this.video.muted = true;
    this.words = el('p', { class: 'words' }, '');
    this.box = el('div', { class: 'preview', 'data-is': 'idle' }, this.video, this.words);
  }

  show(is, words) {
    this.box.dataset.is = is;
    put(this.words, words);
  }

  // want plays, or stops; state is that of the stream, and words what to say instead.
  want(plays, state, words) {
    if (state !== this.state) {
      this.state = state;
      if (this.playing && state === 'live') this.restart(); // another encoder may be another picture
    }
    if (plays && state === 'live') {
      this.play();
    } else {
      if (state !== 'waiting' || !this.playing) this.stop();
      this.show(this.playing ? 'still' : 'idle', words);
    }
  }

  restart() {
    this.stop();
    this.play();
  }

  async play() {
    if (this.playing) {
      if (this.box.dataset.is === 'still') this.show('playing', '');
      return;
    }
    const mine = {};
    this.playing = mine;
    this.show('loading', 'Loading the picture…');
    const url = here(`preview/${path(this.name)}/index.m3u8`);
    this.video.onplaying = () => this.playing === mine && this.show('playing', this.video.videoWidth ? '' : 'Sound alone');
    try {
      const Hls = await library(hls.href, 'Hls').catch(() => null);
      if (this.playing !== mine) return;
      if (Hls?.isSupported()) {
        const player = new Hls({
          lowLatencyMode: false, liveSyncDurationCount: 2, maxBufferLength: 8, backBufferLength: 0,
          startLevel: 0, capLevelToPlayerSize: true, abrEwmaDefaultEstimate: this.quality === 'least' ? 1 : 2_000_000,
        });
        mine.destroy = () => player.destroy();
        if (this.quality === 'least') player.on(Hls.Events.MANIFEST_PARSED, () => { player.autoLevelCapping = 0; });
        player.on(Hls.Events.ERROR, (_, { fatal, type }) => fatal && this.fail(mine, type));
        player.loadSource(url);
        player.attachMedia(this.video);
      } else if (this.video.canPlayType('application/vnd.apple.mpegurl')) {
        this.video.src = url;
        this.video.onerror = () => this.fail(mine, 'media');
      } else {
        this.show('none', 'The preview is not built in (make web).');
        return;
      }
      await this.video.play();
    } catch {
      // Another one took its place, or it is tried again.
    }
  }

  fail(mine, why) {
    if (this.playing !== mine) return;
    mine.destroy?.();
    this.show('none', why === 'mediaError' || why === 'media' ? 'This browser can’t play the picture.' : 'The picture can’t be had now.');
    mine.timer = setTimeout(() => this.playing === mine && this.restart(), 5000);
  }

  stop() {
    const old = this.playing;
    if (!old) return;
    this.playing = null;
    clearTimeout(old.timer);
    old.destroy?.();
    this.video.removeAttribute('src');
    this.video.load();
  }
}
