// Where the picture was away there is a hole in what can be played. Players wait in
// front of it, each for a reason of its own: hls.js may have what is behind it in its
// buffer, and dash.js looks for that only where it is told to seek into the hole.

// stepOver takes a picture that has stood still for two seconds to what its buffer
// has behind a hole. Where nudge is set and there is nothing, it seeks where it is.
export function stepOver(video, signal, { nudge }) {
  let stood = NaN;
  const timer = setInterval(() => {
    const waits = !video.ended && (!video.paused || video.seeking) && video.currentTime === stood;
    if (waits) {
      const behind = starts(video.buffered).find((at) => at > stood);
      if (behind !== undefined) video.currentTime = behind + 0.05;
      else if (nudge) video.currentTime += 0.05;
    }
    stood = video.currentTime;
  }, 2000);
  signal.addEventListener('abort', () => clearInterval(timer));
}

const starts = (ranges) => Array.from({ length: ranges.length }, (_, i) => ranges.start(i));
