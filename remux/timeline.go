package remux

import "time"

// VideoTimescale is the timescale of video tracks: RTMP's milliseconds fit it
// exactly, and it is what every player expects.
const VideoTimescale = 90000

// A step of the timestamps that is longer than these is not jitter: the
// encoder's clock was set, or the stream was joined to another one.
const (
	maxStepForward = 3 * time.Second
	maxStepBack    = time.Second
)

// timeline maps the timestamps of all tracks to one clock: milliseconds since
// 1970. It has no clock of its own.
//
//	RTMP timestamp  ──unwrap──▶  ms of the track, 64 bits  ──+ offset──▶  ms since 1970
//
// Tracks share one offset as long as their timestamps are of one base. A track
// whose timestamps jump goes on where it was, and takes the other's offset
// where that fits.
type timeline struct {
	tracks [2]trackClock // by Kind
}

type trackClock struct {
	started bool
	last    uint32 // RTMP timestamp
	ms      int64  // the same, unwrapped
	offset  int64
	step    int64 // last plausible step, ms
}

// at places a timestamp that arrived at wall clock now.
func (t *timeline) at(k Kind, timestamp uint32, now time.Time) int64 {
	c, other := &t.tracks[k], &t.tracks[1-k]
	if !c.started {
		c.started, c.last, c.ms, c.step = true, timestamp, int64(timestamp), 20
		if other.started {
			// Unwrap beside the other track, so that one base gives one offset.
			c.ms = other.ms + int64(int32(timestamp-other.last))
		}
		c.offset = now.UnixMilli() - c.ms
		c.adopt(other, other.ms+other.offset)
		return c.ms + c.offset
	}
	delta := int64(int32(timestamp - c.last)) // modulo 2^32: wraps are steps like others
	before := c.ms + c.offset
	c.last = timestamp
	c.ms += delta
	if delta > maxStepForward.Milliseconds() || delta < -maxStepBack.Milliseconds() {
		c.offset = before + c.step - c.ms
		c.adopt(other, before)
	} else if delta > 0 {
		c.step = delta
	}
	return c.ms + c.offset
}

// adopt takes the other track's offset if that puts this track near a time at
// which it may be: then both are of one base, and stay in sync.
func (c *trackClock) adopt(other *trackClock, near int64) {
	if !other.started {
		return
	}
	d := c.ms + other.offset - near
	if d <= maxStepForward.Milliseconds() && d >= -maxStepForward.Milliseconds() {
		c.offset = other.offset
	}
}

// videoClock turns milliseconds into the DTS of a video track: the encoder's
// own, made to grow.
type videoClock struct {
	started bool
	last    int64
	frame   int64 // ticks of a frame when frames come evenly, else of the latest step
}

// jitter is how far a frame may be off for the rate to be even: RTMP rounds
// both its ends to milliseconds, and encoders add what their cameras do.
const jitter = 4 * VideoTimescale / 1000

// expect tells the frame rate that the encoder states, if any.
func (v *videoClock) expect(r Rational) {
	if r.Num > 0 {
		v.frame = int64(r.Den) * VideoTimescale / int64(r.Num)
	}
}

// dts returns the decoding time in ticks, and by how many ticks it had to be
// put later than the encoder said.
func (v *videoClock) dts(ms int64) (dts, late int64) {
	const perMs = VideoTimescale / 1000
	want := ms * perMs
	dts = want
	if v.started {
		dts = max(dts, v.last+perMs)
		step := dts - v.last
		if off := step - v.frame; off >= -jitter && off <= jitter {
			v.frame += off / 16 // towards the encoder's true rate
		} else {
			v.frame = min(step, maxStepForward.Milliseconds()*perMs)
		}
	} else if v.frame <= 0 || v.frame > VideoTimescale {
		v.frame = VideoTimescale / 30
	}
	v.started, v.last = true, dts
	return dts, dts - want
}

// audioClock puts access units on the sample grid: each begins where the one
// before ends, whatever the rounding of its timestamp. The grid moves only
// when it is off by more than that: a unit was lost (3/4 of one tell it from
// jitter), or it is ahead by more than one.
type audioClock struct {
	started bool
	rate    int64
	frame   int64 // samples of an access unit
	next    int64 // where the next one begins
	least   int64 // where it may begin: behind the one before
}

// setRate goes on, no earlier, on the grid of another sample rate.
func (a *audioClock) setRate(rate int64) {
	if a.started && a.rate != rate {
		seconds, rest := a.next/a.rate, a.next%a.rate
		a.next = seconds*rate + (rest*rate+a.rate-1)/a.rate
		a.least = a.next
	}
	a.rate = rate
}

// dts returns the decoding time in samples.
func (a *audioClock) dts(ms int64) int64 {
	want := (ms*a.rate + 500) / 1000
	if off := want - a.next; !a.started || off > a.frame*3/4 {
		a.next = want
	} else if off < -a.frame {
		// The grid runs ahead of the encoder: one short sample brings it back.
		a.next = max(want, a.least)
	}
	a.started = true
	dts := a.next
	a.next, a.least = dts+a.frame, dts+1
	return dts
}
