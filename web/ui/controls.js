// The bar on the picture: play, sound, live, picture in picture, full screen.

const $ = (id) => document.getElementById(id);
const idleAfter = 2500; // ms without a movement until the bar fades

// controls wires the bar to the video. goLive is called for "Go live". With
// marked, the video isn't shown without the stage around it.
export function controls(video, stage, goLive, marked) {
  const icon = (button, name, label) => {
    button.querySelector('use').setAttribute('href', `#i-${name}`);
    button.setAttribute('aria-label', label);
    button.title = label;
  };

  const toggle = () => (video.paused ? video.play().catch(() => {}) : video.pause());
  const toggleSound = () => {
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) video.volume = 1;
  };
  const togglePip = () => (document.pictureInPictureElement ? document.exitPictureInPicture() : video.requestPictureInPicture()).catch(() => {});
  const toggleFull = () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (stage.requestFullscreen) stage.requestFullscreen().catch(() => {});
    else if (!marked) video.webkitEnterFullscreen(); // iPhone: the video alone
  };

  $('play').onclick = toggle;
  $('mute').onclick = toggleSound;
  $('unmute').onclick = toggleSound;
  $('golive').onclick = goLive;
  $('pip').onclick = togglePip;
  $('full').onclick = toggleFull;
  $('pip').hidden = !document.pictureInPictureEnabled || marked;
  $('full').hidden = !document.fullscreenEnabled && (!video.webkitEnterFullscreen || marked);
  video.disablePictureInPicture = marked;
  icon($('pip'), 'pip', 'Picture in picture (p)');

  $('volume').oninput = () => {
    video.volume = $('volume').valueAsNumber;
    video.muted = video.volume === 0;
  };

  const drawPlay = () => icon($('play'), video.paused ? 'play' : 'pause', video.paused ? 'Play (k)' : 'Pause (k)');
  const drawSound = () => {
    icon($('mute'), video.muted ? 'muted' : 'sound', video.muted ? 'Turn sound on (m)' : 'Turn sound off (m)');
    $('volume').value = video.muted ? 0 : video.volume;
  };
  const drawFull = () => icon($('full'), document.fullscreenElement ? 'window' : 'full', document.fullscreenElement ? 'Leave full screen (f)' : 'Full screen (f)');
  for (const event of ['play', 'pause', 'emptied']) video.addEventListener(event, drawPlay);
  video.addEventListener('volumechange', drawSound);
  document.addEventListener('fullscreenchange', drawFull);
  drawPlay();
  drawSound();
  drawFull();

  // A mouse press on the picture pauses; a finger only wakes the bar.
  video.addEventListener('click', (event) => {
    if (event.pointerType !== 'touch') toggle();
  });
  video.addEventListener('dblclick', toggleFull);

  let timer;
  const wake = () => {
    stage.classList.remove('idle');
    clearTimeout(timer);
    timer = setTimeout(() => stage.classList.toggle('idle', !video.paused), idleAfter);
  };
  for (const event of ['pointermove', 'pointerdown', 'focusin']) stage.addEventListener(event, wake);
  for (const event of ['playing', 'pause']) video.addEventListener(event, wake);

  const keys = { k: toggle, ' ': toggle, m: toggleSound, l: goLive, p: togglePip, f: toggleFull };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || stage.dataset.state !== 'live') return;
    const busy = event.target.closest('input, button, a');
    if (busy && (event.key === ' ' || busy.type === 'text')) return;
    const act = keys[event.key];
    if (!act || (act === togglePip && $('pip').hidden) || (act === toggleFull && $('full').hidden)) return;
    event.preventDefault();
    act();
    wake();
  });
}
