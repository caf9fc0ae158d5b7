// The numbers beside the picture.

import { Spark } from './spark.js';

const $ = (id) => document.getElementById(id);
const unknown = '–';
const rateSpan = 8; // samples over which a rate is measured

const latencyLine = new Spark($('spark-latency'));
const bufferLine = new Spark($('spark-buffer'));
let history = [];
let rates = {};

// measure reads what the video element and the playback know at this moment.
export function measure(video, playback) {
  const quality = video.getVideoPlaybackQuality?.();
  return {
    currentTime: video.currentTime,
    latency: playback?.latency() ?? null,
    buffered: ahead(video),
    dropped: quality?.droppedVideoFrames ?? 0,
    total: quality?.totalVideoFrames ?? 0,
  };
}

// ahead is how many seconds can be played without loading more.
function ahead({ buffered, currentTime }) {
  for (let i = 0; i < buffered.length; i++) {
    if (buffered.start(i) - 0.1 <= currentTime && currentTime <= buffered.end(i)) {
      return buffered.end(i) - currentTime;
    }
  }
  return 0;
}

// forget starts the lines and rates anew, for another player or publication.
export function forget() {
  history = [];
  rates = {};
  latencyLine.clear();
  bufferLine.clear();
}

// draw shows one measurement. idle means that there is nothing to measure.
export function draw({ video, playback, now, stalls, idle }) {
  const latency = idle ? null : now.latency;
  latencyLine.add(latency);
  bufferLine.add(idle ? null : now.buffered);

  const target = idle ? null : playback.target();
  put('s-target', target ? `target ${target.toFixed(1)}` : '');
  for (const at of ['s', 'f']) { // the statistics, and the few that are seen at a glance
    put(`${at}-latency`, latency === null ? unknown : seconds(latency));
    put(`${at}-buffer`, idle ? unknown : seconds(now.buffered));
  }

  const level = idle ? {} : playback.level();
  const rate = idle ? {} : measured(video, now);
  const frameRate = level.frameRate || rate.frameRate;
  const size = video.videoWidth ? `${video.videoWidth} × ${video.videoHeight}` : '';
  for (const at of ['s', 'f']) {
    put(`${at}-picture`, [size, frameRate && `${Math.round(frameRate * 100) / 100} fps`].filter(Boolean).join(', ') || unknown);
    put(`${at}-bitrate`, bits(level.bitrate || rate.bitrate));
  }
  put('s-codecs', level.codecs?.replaceAll(',', ', ') || unknown);
  put('s-frames', now.total ? `${now.dropped} of ${now.total.toLocaleString('en')}` : unknown);
  put('s-stalls', String(stalls));
  put('s-player', playback?.name ?? unknown);
}

// measured is for streams that do not declare their frame rate or bitrate. It
// counts per second of media, which is right while the player catches up, too.
function measured(video, now) {
  history.push({ at: now.currentTime, total: now.total, bytes: video.webkitVideoDecodedByteCount });
  if (history.length > rateSpan) history.shift();
  const first = history[0];
  const last = history[history.length - 1];
  const span = last.at - first.at;
  if (history.length < rateSpan || span < 1 || span > rateSpan) return rates; // standing still, only just begun, or jumped
  rates = {
    frameRate: Math.round((last.total - first.total) / span),
    bitrate: ((last.bytes - first.bytes) * 8) / span || null,
  };
  return rates;
}

function put(id, text) {
  const element = $(id);
  if (element.textContent !== text) element.textContent = text;
}

const seconds = (s) => `${s.toFixed(s < 100 ? 1 : 0)} s`;

export function bits(rate) {
  if (!rate) return unknown;
  return rate < 1e6 ? `${Math.round(rate / 1e3)} kbit/s` : `${(rate / 1e6).toFixed(2)} Mbit/s`;
}
