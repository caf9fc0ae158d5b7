// The menus on the picture: qualities, sounds, and how far behind live.

import { bits } from './stats.js';

const $ = (id) => document.getElementById(id);

let playback = null; // the one that is told
let seen = { by: null, id: '' };  // the quality that the player was told
let aimed = { by: null, at: '' }; // the distance from live that the player was told
let named = new Map(); // what the server calls the pictures, by id

// call takes what the server calls the pictures, by id.
export function call(pictures) {
  named = pictures;
}

// drawMenus offers what the playback has to choose from, and tells a new one what the
// viewer has chosen; null is for when nothing plays.
export function drawMenus(now) {
  playback = now;
  drawPictures(playback?.pictures() ?? []);
  drawSounds(playback?.sounds() ?? []);
  $('aim').disabled = !playback?.aim;
  if (!playback) return;
  aim();
  see();
}

// drawPictures offers the qualities, where there are several.
function drawPictures(pictures) {
  const menu = $('pictures');
  const several = pictures.length > 1;
  $('pictures-row').hidden = !several;
  if (document.activeElement === menu) return; // nothing moves under the viewer's hand
  if (seen.id && seen.by === playback && pictures.length && playback.chooses()) seen.id = '';
  const sorted = pictures.toSorted((a, b) => b.height - a.height || b.bitrate - a.bitrate);
  const names = sorted.map(({ id, height }) => named.get(id) || `${height}p`);
  const options = sorted.map(({ id, bitrate }, i) => new Option(names.indexOf(names[i]) === names.lastIndexOf(names[i]) ? names[i] : `${names[i]} · ${bits(bitrate)}`, id));
  const on = sorted.findIndex((p) => p.on);
  options.unshift(new Option(!seen.id && on >= 0 ? `Automatic (${options[on].text})` : 'Automatic', ''));
  const said = (list) => Array.from(list, (o) => `${o.value} ${o.text}`).join('\n');
  if (said(options) !== said(menu.options)) menu.replaceChildren(...options);
  menu.value = seen.id;
  const text = several && on >= 0 ? names[on] : '';
  if ($('gear-text').textContent !== text) $('gear-text').textContent = text;
}

// see tells the player which quality the viewer wants: when that is chosen, and when a
// player has begun that has it.
function see() {
  if (seen.by === playback) return;
  seen.by = playback;
  if (seen.id && playback.pictures().some((p) => p.id === seen.id)) playback.see(seen.id);
  else seen.id = '';
}

// drawSounds offers the tracks of sound, where there are several.
function drawSounds(sounds) {
  const menu = $('sounds');
  $('sounds-row').hidden = sounds.length < 2;
  const names = sounds.map(called);
  if (names.join('\n') !== Array.from(menu.options, (o) => o.text).join('\n')) {
    menu.replaceChildren(...names.map((name, i) => new Option(name, String(i))));
  }
  const on = sounds.findIndex((s) => s.on);
  if (document.activeElement !== menu) menu.selectedIndex = on;
}

// called is a sound's name, with its language where the name doesn't say it.
function called({ name, language }, i) {
  let tongue = '';
  try {
    if (language && language !== 'und') tongue = new Intl.DisplayNames(['en'], { type: 'language' }).of(language);
  } catch {
    tongue = language; // not a tag that the browser understands
  }
  if (!name) return tongue || `Track ${i + 1}`;
  return tongue && !name.includes(tongue) ? `${name} (${tongue})` : name;
}

// aim tells the player how far behind live the viewer wants to be: when that
// is chosen, and when a player has begun.
function aim() {
  const wanted = $('aim').value;
  if (!playback?.aim || aimed.at === wanted && aimed.by === playback) return;
  if (wanted || aimed.by === playback) playback.aim(wanted ? Number(wanted) : null);
  aimed = { by: playback, at: wanted };
}

$('aim').addEventListener('change', aim);
$('pictures').addEventListener('change', () => {
  seen.id = $('pictures').value;
  playback?.see(seen.id || null);
});
$('sounds').addEventListener('change', () => {
  playback?.hear(Number($('sounds').value));
  $('sounds').blur(); // from here on it shows what plays
});
