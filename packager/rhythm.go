package packager

import "time"

// opening is how far the beginning of a publication is. Players want one whole
// segment before they begin, and a GOP is long: the first segment ends with
// its first part, without a keyframe, and the second with the first GOP.
type opening uint8

const (
	openingFirst  opening = iota // the first segment is open
	openingSecond                // the rest of the first GOP is open
	openingDone
)

// rhythm is how long the leader's segments get: known while they are all the
// same, or from what the encoder says of its keyframes.
type rhythm struct {
	segment time.Duration
	sure    bool
}

// heard takes the duration of a segment that was closed.
func (r *rhythm) heard(d, frame time.Duration) {
	r.sure = (d - r.segment).Abs() <= frame
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
