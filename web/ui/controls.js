// What is pressed on the picture, and the keys: play, sound, live, settings, statistics,
// picture in picture, full screen.

const $ = (id) => document.getElementById(id);
const idleAfter = 2500; // ms without a movement until the bar fades
const toastFor = 2000;  // ms that a word about a key stays

let toastEnd;

// toast says something short on the picture, for a moment.
export function toast(text) {
  $('toast').textContent = text;
  clearTimeout(toastEnd);
  toastEnd = setTimeout(() => { $('toast').textContent = ''; }, toastFor);
}

// controls wires the bar and the keys to the video. goLive is called for "Go live", and
// goBy for so many seconds back or forward. With marked, the video isn't shown without
// the stage around it.
export function controls(video, stage, { goLive, goBy }, marked) {
  const screen = $('screen');
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
    else if (screen.requestFullscreen) screen.requestFullscreen().catch(() => {});
    else if (!marked) video.webkitEnterFullscreen(); // iPhone: the video alone
  };
  const toggleSettings = () => open($('settings'), $('settings').hidden, [$('gear')]);
  const toggleStats = () => open($('numbers'), $('numbers').hidden, [$('stats'), $('more')]);
  const louder = (by) => {
    video.volume = Math.min(1, Math.max(0, Math.round((video.muted ? 0 : video.volume) * 20 + by * 20) / 20));
    video.muted = video.volume === 0;
    toast(video.muted ? 'Sound off' : `Volume ${Math.round(video.volume * 100)} %`);
  };
  const help = () => $('help-dialog').showModal();

  $('play').onclick = toggle;
  $('mute').onclick = toggleSound;
  $('unmute').onclick = toggleSound;
  $('golive').onclick = goLive;
  $('pip').onclick = togglePip;
  $('full').onclick = toggleFull;
  $('gear').onclick = toggleSettings;
  $('stats').onclick = toggleStats;
  $('more').onclick = toggleStats;
  $('numbers-close').onclick = () => {
    toggleStats();
    ($('more').offsetParent ? $('more') : $('stats')).focus();
  };
  $('help').onclick = help;
  $('keys').onclick = help;
  $('pip').hidden = !document.pictureInPictureEnabled || marked;
  $('full').hidden = !document.fullscreenEnabled && (!video.webkitEnterFullscreen || marked);
  video.disablePictureInPicture = marked;
  icon($('pip'), 'pip', 'Picture in picture (p)');
  icon($('gear'), 'gear', 'Quality, sound and more');
  icon($('stats'), 'stats', 'Statistics (i)');

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

  // A press beside the settings closes them, and does nothing else.
  let closing = false;
  document.addEventListener('pointerdown', (event) => {
    closing = !$('settings').hidden && !event.target.closest('#settings, #gear, dialog');
    if (closing) toggleSettings();
  });
  // A mouse press on the picture pauses; a finger only wakes the bar.
  video.addEventListener('click', (event) => {
    if (event.pointerType !== 'touch' && !closing) toggle();
  });
  video.addEventListener('dblclick', toggleFull);

  let timer;
  const wake = () => {
    stage.classList.remove('idle');
    clearTimeout(timer);
    timer = setTimeout(() => stage.classList.toggle('idle', !video.paused && $('settings').hidden), idleAfter);
  };
  for (const event of ['pointermove', 'pointerdown', 'focusin']) stage.addEventListener(event, wake);
  for (const event of ['playing', 'pause']) video.addEventListener(event, wake);

  const keys = {
    k: toggle, ' ': toggle, m: toggleSound, l: goLive, p: togglePip, f: toggleFull, i: toggleStats, '?': help,
    ArrowLeft: () => goBy(-5), ArrowRight: () => goBy(5), ArrowUp: () => louder(0.1), ArrowDown: () => louder(-0.1),
  };
  const always = new Set(['f', 'i', '?']); // the others need a picture
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (event.key === 'Escape' && !$('settings').hidden) {
      toggleSettings();
      $('gear').focus();
    }
    if (!always.has(event.key) && !['live', 'away'].includes(stage.dataset.state)) return;
    const busy = event.target.closest('input, select, button, a');
    if (busy && (event.key === ' ' || event.key.length > 1 && busy.matches('input, select') || busy.matches('select'))) return;
    const act = keys[event.key];
    if (!act || (act === togglePip && $('pip').hidden) || (act === toggleFull && $('full').hidden)) return;
    event.preventDefault();
    act();
    wake();
  });
}

// open shows something or takes it away, and says so on the buttons that do that.
function open(what, on, buttons) {
  what.hidden = !on;
  for (const button of buttons) button.setAttribute('aria-expanded', String(on));
}
