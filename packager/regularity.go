package packager

import "time"

// opening is how far the beginning of a publication is. Players want one whole
// segment before they begin, and a GOP is long: the first segment ends with
// its first part, without a keyframe, and the second with the first GOP. A stream of
// several pictures begins with a whole GOP.
type opening uint8

const (
	openingFirst  opening = iota // the first segment is open
	openingSecond                // the rest of the first GOP is open
	openingDone
)

// regularity is how long the leader's segments get: known while they are all the
// same, or from what the encoder says of its keyframes. What is foreseen once
// it is known is a promise: players stay as near to live as it lets them, and
// wait when it is broken. Each time that it was, it takes four times as many
// segments alike to be made again: an encoder that cuts where scenes do has
// two alike by chance every now and then.
type regularity struct {
	segment time.Duration
	sure    bool
	alike   int // segments as long as the one before them, in a row
	needed  int // of those, to be sure
}

// told is the regularity of an encoder that says how far its keyframes are apart.
func told(segment time.Duration) regularity { return regularity{segment: segment, sure: true} }

// note takes the duration of a segment that was closed.
func (r *regularity) note(d, frame time.Duration) {
	const backoff, most = 4, 256
	if (d - r.segment).Abs() <= frame {
		r.alike++
	} else {
		r.alike = 0
	}
	r.needed = max(r.needed, 1)
	if r.sure && r.alike == 0 {
		r.needed = min(r.needed*backoff, most)
	}
	r.sure = r.alike >= r.needed
	r.segment = d
}

// segmentOf is how long segments get with keyframes that far apart.
func segmentOf(gop, segmentMin time.Duration) time.Duration {
	n := max(1, (segmentMin+gop/2)/gop)
	if n*gop < segmentMin-50*time.Millisecond {
		n++
	}
	return n * gop
}
