// embedCode is what somebody puts into a page of his own to show a stream there: page is
// the URL of the stream's page, name what a screen reader calls the frame.
export function embedCode(page, name) {
  const src = quoted(new URL('embed', page).href);
  return `<iframe src=${src} title=${quoted(name)} width="640" height="360" style="border:0;max-width:100%" allow="autoplay; fullscreen; picture-in-picture"></iframe>`;
}

const quoted = (text) => `"${text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')}"`;
