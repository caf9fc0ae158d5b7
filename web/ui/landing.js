// The landing page: fills in this server's addresses and follows the name that is typed.

import { copyButtons, showAddress } from './copy.js';
import { embedCode } from './embed.js';
import { address, needs, open } from './publishing.js';

const $ = (id) => document.getElementById(id);

// named reads "APP/NAME"; null if it is not that.
function named(text) {
  const parts = text.trim().replace(/^\/|\/$/g, '').split('/');
  return parts.length === 2 && parts.every((part) => part && !/\s/.test(part)) ? parts : null;
}

const wanted = {
  key: ['a stream key, which its operator makes by ', ['sluice key NAME']],
  login: ['a user and a password: “Use authentication” in OBS'],
  token: ['a token, behind the stream key: ', ['?token=…']],
  webhook: ['what its operator has agreed with you'],
};

function fill([app, name]) {
  const page = new URL(`${encodeURIComponent(app)}/${encodeURIComponent(name)}/`, new URL('.', location.href));
  const alone = needs.length === 1 ? needs[0] : '';
  const key = { key: 'YOUR-KEY', token: `${name}?token=YOUR-TOKEN` }[alone] ?? name;
  if (open) {
    showAddress('obs-server', address(app));
    $('obs-key').textContent = key;
    showCommand('ffmpeg', [
      'ffmpeg', '-re',
      '-f lavfi', '-i testsrc2=size=1280x720:rate=30',
      '-f lavfi', '-i sine=frequency=440',
      '-c:v libx264', '-preset veryfast', '-tune zerolatency', '-pix_fmt yuv420p', '-g 60',
      '-c:a aac',
      '-f flv', quoted(`${address(app, alone === 'login' ? 'USER:PASSWORD@' : '')}/${key}`),
    ]);
  }
  showAddress('page-url', page.href);
  showAddress('hls-url', new URL('index.m3u8', page).href);
  showAddress('dash-url', new URL('index.mpd', page).href);
  $('embed-code').textContent = embedCode(page, `${app}/${name}`);
  return page;
}

// A shell takes a question mark for something else.
const quoted = (text) => (/^[\w:/.@~-]+$/.test(text) ? text : `'${text}'`);

// introduce says what an encoder must show.
function introduce() {
  if (!open) {
    $('nobody').hidden = false;
    $('publish').hidden = true;
    return;
  }
  if (!needs.length) {
    $('wanted').textContent = 'This server wants no key. It takes streams from its own machine and private networks, or from those that its operator has named.';
    $('wanted').hidden = false;
    return;
  }
  const texts = needs.flatMap((need, i) => [i ? ', or ' : '', ...wanted[need].map((part) => (Array.isArray(part) ? code(part[0]) : part))]);
  $('wanted').replaceChildren('This server wants ', ...texts, '.');
  $('wanted').hidden = false;
}

function code(text) {
  const element = document.createElement('code');
  element.textContent = text;
  return element;
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
introduce();
fill(named(stream.value) ?? ['live', 'cam1']);
