// Put into every page before its own scripts: writes down what the video
// elements say, independently of the page.
(() => {
  const seen = window.e2e = { events: [], still: { all: 0, longest: 0, now: 0, jumps: [] } };
  let late = 0;
  let due = performance.now() + 100;
  let before = null; // what the last round saw
  setInterval(() => {
    const now = performance.now();
    late = Math.max(late, now - due);
    due = now + 100;
    stand(now / 1000);
  }, 100);

  // stand counts how long the picture stood still that should have moved, from
  // when it first did, and where it jumped.
  function stand(at) {
    const v = seen.video;
    if (!v) return;
    const { still } = seen;
    const moved = before && before.src === v.currentSrc ? v.currentTime - before.time : 0;
    const passed = before ? at - before.at : 0;
    before = { at, time: v.currentTime, src: v.currentSrc };
    if (!seen.events.some(({ type }) => type === 'playing')) return;
    if (v.paused || v.ended || v.seeking && moved !== 0) {
      still.now = 0;
    } else if (moved === 0) {
      still.now += passed;
      still.all += passed > 0 ? passed : 0;
      still.longest = Math.max(still.longest, still.now);
    } else {
      still.now = 0;
    }
    if (Math.abs(moved - passed * v.playbackRate) > 0.5 + late / 1000) still.jumps.push({ at, by: moved - passed });
  }
  const types = ['loadstart', 'playing', 'waiting', 'stalled', 'pause', 'ended', 'error', 'emptied', 'seeking', 'seeked', 'ratechange'];
  for (const type of types) {
    // Media events don't bubble, but they can be captured.
    document.addEventListener(type, ({ target }) => {
      if (!(target instanceof HTMLMediaElement)) return;
      seen.video = target;
      seen.events.push({ type, at: performance.now() / 1000, time: target.currentTime, rate: target.playbackRate });
    }, true);
  }
  // picture is what is seen, as a number: another one when it is another picture.
  const small = document.createElement('canvas');
  seen.picture = () => {
    small.width = 64;
    small.height = 36;
    const context = small.getContext('2d', { willReadFrequently: true });
    context.drawImage(seen.video, 0, 0, 64, 36);
    let hash = 0;
    for (const b of context.getImageData(0, 0, 64, 36).data) hash = (Math.imul(hash, 31) + b) | 0;
    return hash;
  };
  seen.sample = () => {
    const v = seen.video;
    if (!v) return null;
    const quality = v.getVideoPlaybackQuality();
    let ahead = 0;
    for (let i = 0; i < v.buffered.length; i++) {
      if (v.buffered.start(i) <= v.currentTime && v.currentTime <= v.buffered.end(i)) ahead = v.buffered.end(i) - v.currentTime;
    }
    const lateness = late / 1000;
    late = 0;
    return {
      late: lateness,
      at: performance.now() / 1000, time: v.currentTime, rate: v.playbackRate, ahead, paused: v.paused,
      dropped: quality.droppedVideoFrames, total: quality.totalVideoFrames,
      width: v.videoWidth, height: v.videoHeight, audio: v.webkitAudioDecodedByteCount,
    };
  };
})();
