// What this browser can decode: it is asked before a player library is, so that a
// stream that can't be played is a sentence, and no error of a library.

import { isSound } from './multivariant.js';

// Codecs as people call them, where each plays, and what an encoder can send instead.
const codecs = [
  [/^avc/, 'H.264', 'Chrome, Firefox or Safari'],
  [/^h(vc|ev)1/, 'HEVC', 'Safari'],
  [/^av01/, 'AV1', 'Chrome or Firefox'],
  [/^vp09/, 'VP9', 'Chrome or Firefox'],
  [/^vp08/, 'VP8', 'Chrome or Firefox'],
  [/^vv[ci]1/, 'VVC', ''],
  [/^mp4a\.(40\.34|69|6b)/i, 'MP3', 'Chrome or Safari'],
  [/^mp4a/, 'AAC', 'Chrome, Firefox or Safari'],
  [/^opus/i, 'Opus', 'Chrome or Firefox'],
  [/^flac/i, 'FLAC', 'Chrome or Firefox'],
  [/^ac-3/, 'AC-3', 'Safari'],
  [/^ec-3/, 'E-AC-3', 'Safari'],
];

const about = (codec) => codecs.find(([pattern]) => pattern.test(codec)) ?? [null, codec.split('.')[0], ''];

// Some browsers know "opus" and not "Opus", some "fLaC" and not "flac".
const spellings = (codec) => [codec, codec.toLowerCase()].map((c) => `${isSound(codec) ? 'audio' : 'video'}/mp4; codecs="${c}"`);

// byMSE tells whether Media Source Extensions take a codec.
export function byMSE(codec) {
  const source = window.ManagedMediaSource ?? window.MediaSource;
  return spellings(codec).some((type) => source?.isTypeSupported(type));
}

// byElement tells whether the video element does by itself.
export function byElement(codec) {
  const video = document.createElement('video');
  return spellings(codec).some((type) => video.canPlayType(type) !== '');
}

// judge says how much of a stream can be played, by the codecs of its variants:
// 'all', 'picture' where no sound that goes with a picture can be, or 'nothing'.
export function judge(variants, decodes) {
  const pictures = (variant) => variant.filter((c) => !isSound(c));
  if (!variants.length || variants.some((v) => v.every(decodes))) return 'all';
  return variants.some((v) => pictures(v).length && pictures(v).every(decodes)) ? 'picture' : 'nothing';
}

// sentence says what can't be decoded and what to do about it.
export function sentence(variants, decodes) {
  const without = [...new Set(variants.flat())].filter((c) => !decodes(c));
  const pictures = without.filter((c) => !isSound(c));
  const [what, instead, which] = judge(variants, decodes) === 'picture'
    ? ['The sound of this stream', 'AAC', without]
    : ['This stream', pictures.length ? 'H.264' : 'AAC', pictures.length ? pictures : without];
  const names = [...new Set(which.map((c) => about(c)[1]))];
  const use = about(which[0])[2];
  const advice = [use && `use ${use}`, !names.includes(instead) && `let the encoder send ${instead}`].filter(Boolean);
  return `${what} is ${names.join(' and ')}, which this browser can't decode: ${advice.join(', or ')}.`;
}
