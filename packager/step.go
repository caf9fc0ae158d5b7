package packager

import (
	"time"

	"github.com/sluice-live/sluice/remux"
)

// step is how the keyframes of a follower lie to the leader's.
type step struct {
	even int // segments in a row that began at the same moment; -1 where the last one didn't
}

// evenSteps is how many segments a picture is in step before its keyframes count for all.
const evenSteps = 2

// note takes a segment that begins with a sample, ns behind the one before it should end.
func (t *step) note(off, frame time.Duration, keyframe bool) {
	if keyframe && off.Abs() <= frame/2 {
		t.even = max(t.even, 0) + 1
	} else {
		t.even = -1
	}
}

// stepsAhead lets a follower's keyframe that comes before the leader's end the segment
// of all, if it was in step so far and lies where the leader's is expected. So nobody
// waits for a leader that is late, or gone.
func (w *writer) stepsAhead(s *remux.Sample) {
	b := &w.beat
	if !s.Sync || w.step.even < evenSteps || w.msn != b.first+MSN(len(b.ends)) {
		return
	}
	at := w.nanoseconds(s.DTS + int64(s.CompositionOffset))
	if !b.regularity.sure || len(b.ends) == 0 {
		if at-b.led > int64(time.Second) && w.openDuration() >= b.segmentMin { // it would go on without a keyframe before that comes
			b.lead(at)
		}
		return
	}
	expected := b.ends[len(b.ends)-1] + int64(b.regularity.segment)
	if frame := w.nanoseconds(int64(s.Duration)); near(at, expected, frame/2) {
		w.beginTurn(w.msn, at)
		b.lead(at)
	}
}

func near(a, b, within int64) bool { return a-b <= within && b-a <= within }
