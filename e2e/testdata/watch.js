// Put into every page before its own scripts: writes down what the video
// elements say, independently of the page.
(() => {
  const seen = window.e2e = { events: [] };
  let late = 0;
  let due = performance.now() + 100;
  setInterval(() => {
    const now = performance.now();
    late = Math.max(late, now - due);
    due = now + 100;
  }, 100);
  const types = ['loadstart', 'playing', 'waiting', 'stalled', 'pause', 'ended', 'error', 'emptied', 'seeking', 'seeked', 'ratechange'];
  for (const type of types) {
    // Media events don't bubble, but they can be captured.
    document.addEventListener(type, ({ target }) => {
      if (!(target instanceof HTMLMediaElement)) return;
      seen.video = target;
      seen.events.push({ type, at: performance.now() / 1000, time: target.currentTime, rate: target.playbackRate });
    }, true);
  }
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
