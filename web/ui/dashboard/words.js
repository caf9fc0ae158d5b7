// Numbers and states in words.

export function bits(rate) {
  if (!rate) return '0';
  if (rate >= 1e9) return `${fixed(rate / 1e9)} Gbit/s`;
  if (rate >= 1e6) return `${fixed(rate / 1e6)} Mbit/s`;
  return `${Math.round(rate / 1e3)} kbit/s`;
}

export function bytes(n) {
  if (n >= 1e9) return `${fixed(n / 1e9)} GB`;
  if (n >= 1e6) return `${fixed(n / 1e6)} MB`;
  if (n >= 1e3) return `${Math.round(n / 1e3)} kB`;
  return `${n} B`;
}

const fixed = (x) => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2));

export const count = (n) => n.toLocaleString('en');
export const viewers = (n) => `${count(n)} ${n === 1 ? 'viewer' : 'viewers'}`;
export const frames = (n) => (n ? `${Number(n.toFixed(2))} fps` : '–');
export const seconds = (s) => (s >= 9.95 ? `${Math.round(s)} s` : s >= 0.995 ? `${s.toFixed(1)} s` : `${Math.round(s * 1000)} ms`);
export const latency = (s) => (s ? seconds(s) : '–');

// lasting says how long something is, from seconds on.
export function lasting(s) {
  if (s < 90) return `${Math.max(0, Math.round(s))} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} days`;
}

let offset = 0; // ms from this computer's clock to the server's

// serverTime says what time it is there.
export function serverTime(iso) {
  const time = Date.parse(iso);
  if (Number.isFinite(time)) offset = time - Date.now();
}

export const since = (iso) => (Date.now() + offset - Date.parse(iso)) / 1000;
export const clock = (iso) => new Date(iso).toLocaleTimeString('en-GB');
export const day = (iso) => new Date(iso).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

export const states = { live: 'Live', waiting: 'Waiting', ended: 'Ended' };
export const severities = { bad: 'Bad', warning: 'Warning', notice: 'Notice' };

export const events = {
  published: 'An encoder publishes',
  unpublished: 'An encoder has left',
  ready: 'Can be watched',
  lost: 'Its encoder was lost',
  back: 'Its encoder is back',
  ended: 'Is over',
  health: 'Health',
  switched: 'Another encoder is on air',
  relay: 'Relay',
  refused: 'A publisher was refused',
  reloaded: 'The configuration was read again',
  drain: 'Drain',
  missed: 'Older events are forgotten',
};

// path of a stream in the API and on this page.
export const path = (name) => name.split('/').map(encodeURIComponent).join('/');
