package packager

import (
	"slices"
	"time"
)

// cutter decides where parts and segments end. It is pure: all that it knows
// is in its fields and its arguments. Durations are media time.
type cutter struct {
	segmentMin time.Duration
	segmentMax time.Duration // for a segment that no keyframe ends
	part       time.Duration // the most that a part may last; 0 while it isn't known
}

// cut is what ends before a sample.
type cut uint8

const (
	cutNothing cut = iota
	cutPart
	cutSegment // and with it the part
	cutOpening // the first segment, so that players can begin
)

// leader decides for the rendition that has the keyframes. segment and part
// are the durations so far, next is how long the coming sample should last. A
// segment that itself began without a keyframe takes the first that comes.
func (c cutter) leader(segment, part, next time.Duration, sync, independent bool) cut {
	least := c.segmentMin
	if !independent {
		least = min(least, c.part)
	}
	if sync && segment+next/2 >= least {
		return cutSegment
	}
	return c.any(segment, part, next)
}

// follower decides for a rendition that keeps to the leader's boundaries.
// beyond tells that the coming sample lies at or behind the next of them.
func (c cutter) follower(segment, part, next time.Duration, beyond bool) cut {
	if beyond {
		return cutSegment
	}
	return c.any(segment, part, next)
}

func (c cutter) any(segment, part, next time.Duration) cut {
	switch {
	case segment+next > c.segmentMax:
		return cutSegment
	case c.full(part, next):
		return cutPart
	}
	return cutNothing
}

// full tells whether a part has no room for a sample that lasts next.
func (c cutter) full(part, next time.Duration) bool {
	return c.part > 0 && part > 0 && part+next > c.part
}

// scrap tells whether a part is too short to be worth one: players that see a
// tenth of a second as nothing wait for it for ever.
func (c cutter) scrap(part time.Duration) bool {
	return part > 0 && part < max(c.part/4, 120*time.Millisecond)
}

// partSlack is added to what frames need: RTMP's milliseconds make 15 frames
// of 30 fps last 0.5 s give or take one.
const partSlack = 5 * time.Millisecond

// fillPart is how much of the part target a part must last at least (RFC
// 8216bis, section 4.4.4.9), and a little more.
const fillPart = 0.86

// partTarget returns the shortest part target from want on that whole samples
// of each duration fill: 0.2 s hold 4 frames of 24 fps, which is too little,
// so it becomes 0.214 s, and 5 frames.
func partTarget(want time.Duration, samples ...time.Duration) time.Duration {
	want = max(want, slices.Max(samples))
	for target := want + partSlack; target < 2*want; target += time.Millisecond {
		if !slices.ContainsFunc(samples, func(d time.Duration) bool { return !fills(target, d) }) {
			return target
		}
	}
	return want + partSlack // no such thing: sample durations that differ by much
}

// fills tells whether samples that last about d fill a part.
func fills(target, d time.Duration) bool {
	for _, d := range []time.Duration{d, d * 39 / 40, d * 41 / 40} { // a first frame's duration is off by a rounding
		if d > 0 && float64(target/d*d) < fillPart*float64(target) {
			return false
		}
	}
	return true
}

// targetDuration is the number of seconds that bounds segments like one of
// that duration. Jitter of the timestamps must not add a whole second to it.
func targetDuration(segment, segmentMin time.Duration) int {
	const jitter = 50 * time.Millisecond
	return int((max(segment-jitter, segmentMin) + time.Second - 1) / time.Second)
}

// longest is the most that a segment may last under a target duration: EXTINF
// rounded to the nearest second must not exceed it (RFC 8216bis, 4.4.3.1).
func longest(target int) time.Duration {
	return time.Duration(target)*time.Second + 490*time.Millisecond
}
