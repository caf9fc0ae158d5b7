// The landing page: fills in this server's addresses and follows the name that is typed.

import { copyButtons, showAddress } from './copy.js';

const $ = (id) => document.getElementById(id);

// named reads "APP/NAME"; null if it is not that.
function named(text) {
  const parts = text.trim().replace(/^\/|\/$/g, '').split('/');
  return parts.length === 2 && parts.every((part) => part && !/\s/.test(part)) ? parts : null;
}

function fill([app, name]) {
  const page = new URL(`/${encodeURIComponent(app)}/${encodeURIComponent(name)}/`, location.href);
  const server = `rtmp://${location.hostname}:1935/${app}`;
  showAddress('obs-server', server);
  $('obs-key').textContent = name;
  showCommand('ffmpeg', [
    'ffmpeg', '-re',
    '-f lavfi', '-i testsrc2=size=1280x720:rate=30',
    '-f lavfi', '-i sine=frequency=440',
    '-c:v libx264', '-preset veryfast', '-tune zerolatency', '-pix_fmt yuv420p', '-g 60',
    '-c:a aac',
    '-f flv', `${server}/${name}`,
  ]);
  showAddress('page-url', page.href);
  showAddress('hls-url', new URL('index.m3u8', page).href);
  showAddress('dash-url', new URL('index.mpd', page).href);
  return page;
}

function showCommand(id, parts) {
  $(id).replaceChildren(...parts.flatMap((part, i) => {
    const span = document.createElement('span');
    span.textContent = part;
    return i ? [' ', span] : [span];
  }));
}

const stream = $('stream');
stream.addEventListener('input', () => {
  const parts = named(stream.value);
  if (parts) fill(parts);
});
$('watch').addEventListener('submit', (event) => {
  event.preventDefault();
  const parts = named(stream.value);
  if (parts) location.href = fill(parts).href;
});

copyButtons();
fill(named(stream.value) ?? ['live', 'cam1']);
