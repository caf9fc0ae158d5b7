// What a multivariant playlist says of a stream (RFC 8216, section 4.3.4).

// read returns {leftOut, keyframes, variants, pictures, sounds}: sentences on what of the
// stream nobody gets, and on qualities whose keyframes don't lie alike; the codecs of each
// variant, as lists; what the server calls the pictures to choose from, by their ids; and
// the sounds, as {name, language}. Of a media playlist it says that there is nothing to say.
export function read(playlist) {
  return {
    leftOut: sentences(playlist, 'left-out'),
    keyframes: sentences(playlist, 'keyframes'),
    pictures: new Map([...playlist.matchAll(/^#EXT-X-STREAM-INF:(.*)\r?\n([^#\s].*)$/gm)].map((m) => [idOf(m[2]), quoted(m[1], 'NAME')])),
    variants: [...playlist.matchAll(/^#EXT-X-STREAM-INF:(.*)$/gm)].map((m) => list(quoted(m[1], 'CODECS'))),
    sounds: [...playlist.matchAll(/^#EXT-X-MEDIA:(.*TYPE=AUDIO.*)$/gm)].map((m) => ({ name: quoted(m[1], 'NAME'), language: quoted(m[1], 'LANGUAGE') })),
  };
}

// firstVariant is the URI of the first variant: the line after its EXT-X-STREAM-INF.
export function firstVariant(playlist) {
  return /^#EXT-X-STREAM-INF:.*\r?\n(?:#.*\r?\n|\s*\n)*([^#\s].*)$/m.exec(playlist)?.[1].trim();
}

// silent is the same playlist without its sounds.
export function silent(playlist) {
  return playlist
    .replace(/^#EXT-X-MEDIA:.*TYPE=AUDIO.*\r?\n/gm, '')
    .replace(/^(#EXT-X-STREAM-INF:.*?),AUDIO="[^"]*["]/gm, '$1')
    .replace(/^(#EXT-X-STREAM-INF:.*CODECS=")([^"]*)/gm, (_, before, codecs) => before + list(codecs).filter((c) => !isSound(c)).join(','));
}

// isSound tells the codecs of sound from those of pictures (RFC 6381).
export const isSound = (codec) => /^(mp4a|opus|flac|[ae]c-3|ac-4|mp3|alac)/i.test(codec);

// idOf is the id of the rendition whose media playlist has that URL: v1.
export const idOf = (url) => /([^/]+)\.m3u8(?:\?.*)?$/.exec(url)?.[1] ?? url;

const sentences = (playlist, about) =>
  [...playlist.matchAll(/^#EXT-X-SESSION-DATA:DATA-ID="live\.sluice\.([a-z-]+)\.\d+",VALUE="([^"]*)"/gm)].filter((m) => m[1] === about).map((m) => m[2]);

const list = (codecs) => codecs.split(',').map((c) => c.trim()).filter(Boolean);
const quoted = (attributes, name) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(attributes)?.[1] ?? '';
