package packager

import "time"

// cutter decides where parts and segments end. It is pure: all that it knows
// is in its fields and its arguments. Durations are media time.
type cutter struct {
	segmentMin time.Duration
	segmentMax time.Duration // for a segment that no keyframe ends
	part       time.Duration
}

// partSlack is added to the part duration: RTMP's milliseconds make 15 frames
// of 30 fps last 0.5 s give or take one.
const partSlack = 5 * time.Millisecond

// cut is what ends before a sample.
type cut uint8

const (
	cutNothing cut = iota
	cutPart
	cutSegment // and with it the part
)

// leader decides for the rendition that has the keyframes. segment and part
// are the durations so far, next is how long the coming sample should last.
func (c cutter) leader(segment, part, next time.Duration, sync bool) cut {
	switch {
	case sync && segment+next/2 >= c.segmentMin:
		return cutSegment
	case segment+next > c.segmentMax:
		return cutSegment
	}
	return c.within(part, next)
}

// follower decides for a rendition that keeps to the leader's boundaries.
// beyond tells that the coming sample lies at or behind the next of them.
func (c cutter) follower(segment, part, next time.Duration, beyond bool) cut {
	if beyond || segment+next > c.segmentMax {
		return cutSegment
	}
	return c.within(part, next)
}

func (c cutter) within(part, next time.Duration) cut {
	if part > 0 && part+next > c.part+partSlack {
		return cutPart
	}
	return cutNothing
}

// targetDuration is the number of seconds that bounds segments like the first
// one. Jitter of the timestamps must not add a whole second to it.
func targetDuration(first, segmentMin time.Duration) int {
	const jitter = 50 * time.Millisecond
	return int((max(first-jitter, segmentMin) + time.Second - 1) / time.Second)
}

// longest is the most that a segment may last under a target duration: EXTINF
// rounded to the nearest second must not exceed it (RFC 8216bis, 4.4.3.1).
func longest(target int) time.Duration {
	return time.Duration(target)*time.Second + 490*time.Millisecond
}
