// What a multivariant playlist says of a stream (RFC 8216, section 4.3.4).

// read returns {leftOut, variants, sounds}: sentences on what of the stream nobody
// gets; the codecs of each variant, as lists; and the sounds to choose from, as
// {name, language}. Of a media playlist it says that there is nothing to say.
export function read(playlist) {
  return {
    leftOut: [...playlist.matchAll(/^#EXT-X-SESSION-DATA:DATA-ID="live\.sluice\.left-out\.\d+",VALUE="([^"]*)"/gm)].map((m) => m[1]),
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

const list = (codecs) => codecs.split(',').map((c) => c.trim()).filter(Boolean);
const quoted = (attributes, name) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(attributes)?.[1] ?? '';
