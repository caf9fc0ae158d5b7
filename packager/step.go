package packager

import (
	"slices"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// step is how the keyframes of a follower lie to where the leader's segments end. It goes by
// keyframes, and not by the follower's own segments: one that is ahead may have had to begin
// those elsewhere, as nobody knew of the end yet. Times are ns of presentation.
type step struct {
	even   int     // keyframes in a row that lay at an end, with no end between them; -1 where the last one didn't
	newest int64   // keyframe; 0 before the first that there is
	before int64   // the newest keyframe that was compared
	waits  []int64 // those that the leader has yet to come to
}

const (
	// evenSteps is how many keyframes a picture is in step before they count for all where the
	// leader's next one is expected, or missed.
	evenSteps = 2

	// exactSteps is the same, of one that lies as far behind the last end as all of the leader's
	// lie, where that is sure: so an encoder that is ahead begins its second segment of a period with the others.
	exactSteps = 1

	// sureSteps is the same, wherever they lie.
	sureSteps = 4
)

// begin begins anew to compare, in a period, or behind an absence.
func (t *step) begin() { t.newest, t.before, t.waits = 0, 0, t.waits[:0] }

// key takes a keyframe, and compares those that the leader has come to.
func (t *step) key(b *beat, at, within int64) {
	if t.before > 0 && near(b.refuted, t.before, within) {
		t.even = -1
	}
	const most = 8 // nobody is that far ahead
	if len(t.waits) == most {
		t.begin()
	}
	t.newest, t.waits = at, append(t.waits, at)
	n := 0
	for n < len(t.waits) && t.compare(b, t.waits[n], within) {
		n++
	}
	t.waits = slices.Delete(t.waits, 0, n)
}

// compare compares a keyframe, unless the leader has yet to come there.
func (t *step) compare(b *beat, key, within int64) bool {
	begin := int64(0) // of the leader's segment that the keyframe is in
	for _, end := range b.bounds() {
		fits := near(end, key, within)
		if !fits && end < key {
			begin = end
			continue
		}
		switch between := t.before > 0 && begin > t.before+within; {
		case between || !fits && begin > 0 && key-begin >= int64(b.segmentMin)-within:
			t.even = -1
		case fits:
			t.even = max(t.even, 0) + 1
		}
		t.before = key
		return true
	}
	return false
}

// stepsAhead takes a follower's keyframe. One that comes before the leader's ends the segment
// of all, if it was in step so far and lies where the leader's is expected. So nobody
// waits for a leader that is late, or gone.
func (w *writer) stepsAhead(s *remux.Sample) {
	b, r := &w.beat, &w.beat.regularity
	at, frame := w.keyframeAt(s)
	bounds := b.bounds()
	if w.step.even < exactSteps || w.msn != b.first+MSN(len(b.ends)) || len(bounds) == 0 {
		return
	}
	last := bounds[len(bounds)-1]
	switch expected := r.segment > 0 && near(at, last+int64(r.segment), frame/2); {
	case expected && r.sure && w.step.before >= last-frame/2:
	case w.step.even < evenSteps:
		return
	case expected:
	case r.sure && len(b.ends) > 0, w.open.Samples == 0 && !b.isFirst(at, frame/2): // behind a gap it may not be the leader's first from there on
		return
	case at-b.led > int64(time.Second) && w.openDuration() >= b.segmentMin: // it would go on without a keyframe before that comes
	case (w.step.even >= sureSteps || b.isFirst(at, frame/2) && b.isDue(at, frame/2)) && at-last+frame/2 >= int64(b.segmentMin):
	default:
		return
	}
	w.beginTurn(w.msn, at)
	b.lead(at)
}

// keyframeAt has a keyframe compared, and returns when it is shown and how long it lasts.
func (w *writer) keyframeAt(s *remux.Sample) (at, frame int64) {
	at, frame = w.nanoseconds(s.DTS+int64(s.CompositionOffset)), w.nanoseconds(int64(s.Duration))
	w.step.key(&w.beat, at, frame/2)
	return at, frame
}

func near(a, b, within int64) bool { return a-b <= within && b-a <= within }
