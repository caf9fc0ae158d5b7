// The server's clock, which the picture's time is of. A viewer's own clock may be off.

let offset = 0; // ms to add to this computer's clock

// serverNow is the time at the server, in ms since 1970.
export const serverNow = () => Date.now() + offset;

async function ask() {
  const sent = Date.now();
  try {
    const answer = await fetch('../../time', { cache: 'no-store' });
    const time = Date.parse(await answer.text());
    if (Number.isFinite(time)) offset = time + (Date.now() - sent) / 2 - Date.now();
  } catch {
    // Then it is this computer's clock, as before.
  }
}

ask();
setInterval(ask, 60_000);
