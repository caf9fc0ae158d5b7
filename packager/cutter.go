package packager

import "time"

// cutter decides where parts and segments end. It is pure: all that it knows
// is in its fields and its arguments. Durations are media time.
type cutter struct {
	segmentMin time.Duration
	segmentMax time.Duration // for a segment that no keyframe ends
	spare      time.Duration // what the leader leaves of that to its followers, see beat.measure
	partEarly  time.Duration // for a part, while there is no grid
	grid       grid
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
		least = min(least, c.grid.target)
	}
	if sync && segment+next/2 >= least {
		return cutSegment
	}
	c.segmentMax -= c.spare
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
	// A frame that gets lost leaves its time to the one before.
	spare := min(next, 200*time.Millisecond)
	switch {
	case segment+next+spare > c.segmentMax:
		return cutSegment
	case c.grid.ends(segment, part, next), c.grid.step == 0 && part > 0 && part+next > c.partEarly:
		return cutPart
	}
	return cutNothing
}

const (
	targetJitter = 50 * time.Millisecond  // of the timestamps must not add a second to the target duration
	targetSlack  = 490 * time.Millisecond // that a segment may last beyond it
)

// targetDuration is the number of seconds that bounds segments like one of that duration.
func targetDuration(segment, segmentMin time.Duration) int {
	return int((max(segment-targetJitter, segmentMin) + time.Second - 1) / time.Second)
}

// longestOf is the most that a segment may last under a target duration: EXTINF
// rounded to the nearest second must not exceed it (RFC 8216bis, 4.4.3.1).
func longestOf(target int) time.Duration {
	return time.Duration(target)*time.Second + targetSlack
}
