// The dashboard: which page is shown, and one loop that asks for it. What happens wakes
// the loop before its time.

import { $ } from './dom.js';
import { Activity } from './activity.js';
import { Unreachable, ask, listen } from './api.js';
import { Overview } from './overview.js';
import { ServerPage } from './server.js';
import { StreamPage } from './stream.js';
import { serverTime } from './words.js';
import { copyButtons } from '../copy.js';

const mostEvents = 1024;

let page = null;
let looking = null; // AbortController of what is asked
let timer = 0;
let heard = []; // events, the newest last

function open() {
  page?.end();
  looking?.abort();
  const [, kind, ...rest] = location.hash.split('/');
  const view = $('view');
  view.replaceChildren();
  if (kind === 'stream' && rest.length === 2) page = new StreamPage(view, rest.map(decodeURIComponent).join('/'));
  else if (kind === 'activity') page = new Activity(view);
  else if (kind === 'server') page = new ServerPage(view);
  else page = new Overview(view);
  document.title = `${page.title} – sluice`;
  for (const link of $('pages').children) {
    if (link.hash === (page instanceof Overview ? '#/' : `#/${kind}`)) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  page.hear?.(heard);
  look();
}

// look asks for what the page shows, and again a while later. Who doesn't look at the
// page asks for nothing.
async function look() {
  clearTimeout(timer);
  looking?.abort();
  if (document.hidden) return;
  const mine = looking = new AbortController();
  let wait = page.every;
  try {
    const server = await ask('server', { signal: mine.signal });
    serverTime(server.now);
    $('drained').hidden = !server.draining;
    await page.look(mine.signal, server);
    connected();
  } catch (error) {
    if (mine.signal.aborted) return;
    wait = 1500;
    lost(error);
  }
  if (mine === looking) timer = setTimeout(look, wait);
}

function connected() {
  $('lost').hidden = true;
  $('link').dataset.is = 'good';
  $('link-text').textContent = 'Connected';
  document.body.classList.remove('stale');
}

function lost(error) {
  $('link').dataset.is = 'lost';
  $('link-text').textContent = 'Lost';
  const text = error instanceof Unreachable
    ? 'The connection to the server is lost. What is shown here is old. This page tries again by itself.'
    : `The server can’t answer: ${error.message}. This page tries again by itself.`;
  if ($('lost').textContent !== text) $('lost').textContent = text;
  $('lost').hidden = false;
  document.body.classList.add('stale');
}

// again asks soon: what was just done, or has happened, shows.
let soon = 0;
function again(after = 0) {
  clearTimeout(soon);
  soon = setTimeout(look, after);
}

document.addEventListener('again', () => again());
document.addEventListener('visibilitychange', () => again());
addEventListener('hashchange', () => {
  open();
  $('view').focus({ preventScroll: true });
  scrollTo({ top: 0 });
});

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault(); // its address would be another page
  $('view').focus();
});

copyButtons();
open();
listen('events', new AbortController().signal, (events) => {
  const fresh = events.filter(({ id }) => !heard.some((one) => one.id === id));
  heard = [...heard, ...fresh].slice(-mostEvents);
  if (!fresh.length) return;
  page.hear?.(fresh);
  again(250);
});
