// How to publish, in words: for who has no stream yet.

import { copyable, el } from './dom.js';

const wanted = {
  key: 'a stream key, which “sluice key NAME” makes',
  login: 'a user and a password',
  token: 'a token behind the stream key: ?token=…',
  webhook: 'what the webhook asks for',
};

// how returns what to do, by what the server says of itself; name is APP/NAME.
export function how(server, name = 'live/cam1') {
  const { rtmp, rtmps } = server.ports;
  if (!rtmp && !rtmps) return [el('p', {}, 'This server takes no streams by RTMP: no port of it is open.')];
  const [scheme, port, usual] = rtmp ? ['rtmp', rtmp, 1935] : ['rtmps', rtmps, 443];
  const [app, key] = name.split('/');
  const address = `${scheme}://${location.hostname}${port === usual ? '' : `:${port}`}/${app}`;
  const shown = server.needs.includes('key') ? 'YOUR-KEY' : key;
  return [
    el('p', {}, 'In OBS Studio: Settings → Stream, service Custom…, and a keyframe interval of 1 or 2 seconds under Output.'),
    el('div', { class: 'pair' },
      el('div', {}, el('h3', {}, 'Server'), copyable(address, 'Copy the server', 'how-server')),
      el('div', {}, el('h3', {}, 'Stream key'), copyable(shown, 'Copy the stream key', 'how-key'))),
    el('h3', {}, 'Or a test picture by ffmpeg'),
    copyable(`ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60 -c:a aac -f flv ${address}/${shown}`, 'Copy the ffmpeg command', 'how-ffmpeg'),
    server.needs.length ? el('p', { class: 'dim' }, `This server wants ${server.needs.map((need) => wanted[need] ?? need).join(', or ')}.`) : null,
  ];
}

// playerPage is where viewers watch a stream, as far as this page can know: null without
// a port. A server behind a proxy may be elsewhere.
export function playerPage(server, name) {
  const { http, https } = server.ports;
  const [scheme, port, usual] = https ? ['https', https, 443] : ['http', http, 80];
  return port ? `${scheme}://${location.hostname}${port === usual ? '' : `:${port}`}/${name}/` : null;
}
