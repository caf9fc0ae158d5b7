// What is asked of the server. One question at a time is under way for each page.

const patience = 8000; // ms

// Unreachable: no answer, or none of this server. All else is a Fault, with words of the
// server.
export class Unreachable extends Error {}
export class Fault extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

// here is an address on this server. Who has come with a password in the address must not
// be asked for one again, and fetch takes no address that has one.
export function here(path) {
  const url = new URL(path, document.baseURI);
  url.username = url.password = '';
  return url.href;
}

// ask gets, or does with another method, and resolves with what comes back.
export async function ask(path, { method = 'GET', signal } = {}) {
  let response;
  try {
    const limit = AbortSignal.timeout(patience);
    response = await fetch(here(`api/v1/${path}`), { method, cache: 'no-store', signal: signal ? AbortSignal.any([signal, limit]) : limit });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable(error.message);
  }
  if (response.status >= 502 && response.status <= 504) throw new Unreachable(`HTTP status ${response.status}`);
  const text = await response.text().catch(() => '');
  if (!response.ok) throw new Fault(response.status, reason(text) || `HTTP status ${response.status}`);
  return text && /json/.test(response.headers.get('Content-Type')) ? JSON.parse(text) : null;
}

function reason(text) {
  try {
    const { title, detail } = JSON.parse(text);
    return detail || title;
  } catch {
    return '';
  }
}

export const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '' && value !== undefined && value !== null)).toString();

// listen reads server-sent events until signal: it comes back by itself, and gets what
// it missed. A browser's own EventSource can't ask for what was before.
export async function listen(path, signal, hear) {
  let last = '0';
  while (!signal.aborted) {
    try {
      const response = await fetch(here(`api/v1/${path}`), { headers: { 'Last-Event-ID': last }, cache: 'no-store', signal });
      if (!response.ok) throw new Error(`HTTP status ${response.status}`);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ''; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        const blocks = (rest + value).split('\n\n');
        rest = blocks.pop();
        const heard = [];
        for (const block of blocks) {
          const said = Object.fromEntries(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
          if (said.id) last = said.id;
          if (said.data) heard.push(JSON.parse(said.data));
        }
        if (heard.length) hear(heard);
      }
    } catch {
      // Whoever polls finds out, and says so.
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 2000);
      signal.addEventListener('abort', resolve, { once: true });
    });
  }
}
