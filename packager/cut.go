package packager

import (
	"time"

	"github.com/sluice-live/sluice/packager/cmaf"
	"github.com/sluice-live/sluice/remux"
)

// cutBefore ends what the coming sample is not part of.
func (w *writer) cutBefore(s *remux.Sample) error {
	switch w.decide(s) {
	case cutSegment:
		if w.leads {
			if !w.open.Gaps && w.preroll.hidden(w.open) == 0 {
				w.beat.regularity.note(w.sinceKeyframe(), w.duration(int64(s.Duration)))
			}
			w.beat.opening = openingDone
			if s.Sync {
				w.beginTurn(w.msn, w.nanoseconds(s.DTS+int64(s.CompositionOffset)))
			}
			w.leadTo(s)
			return w.closeSegment()
		}
		keyframe := w.keyframeCame()
		if w.isVideo() {
			w.foresight.offBeat = !keyframe && w.isOffBeat(s)
		}
		if keyframe || w.carriesScrap(s) && (w.turn == nil || w.turn.from != w.msn+1) {
			w.carry()
			return nil
		}
		return w.closeSegment()
	case cutOpening:
		w.beat.opening = openingSecond
		w.leadTo(s)
		return w.closeSegment()
	case cutPart:
		return w.closePart()
	}
	return nil
}

// carriesScrap tells whether what there is of a part of sound begins the next segment,
// together with the coming sample.
func (w *writer) carriesScrap(s *remux.Sample) bool {
	scrap := w.duration(w.part.settled)
	return len(w.open.Parts) > 0 && w.carries(scrap) && scrap+w.duration(int64(s.Duration)) <= w.beat.grid.target
}

// carries tells whether that much of a part of sound had better be in the next segment,
// and that has room for it.
func (w *writer) carries(scrap time.Duration) bool {
	const frame = 200 * time.Millisecond // of the leader, that may get lost
	return !w.isVideo() && !w.part.perFrame && w.beat.grid.scrap(scrap) && scrap+w.beat.regularity.segment+frame <= w.beat.segmentMax
}

// decide tells what the coming sample is not part of.
func (w *writer) decide(s *remux.Sample) cut {
	if w.open == nil {
		if w.isVideo() && !w.leads && s.Sync && w.begins() {
			w.keyframeAt(s) // where the period begins
		}
		return cutNothing
	}
	if w.part.empty() && w.bulkySegment(s.Sync) {
		return cutSegment
	}
	segment, part, next := w.duration(w.open.Duration), w.duration(w.part.settled), w.duration(int64(s.Duration))
	if !w.leads {
		c := w.beat.follower(segment, part, next, w.beyond(s))
		if c == cutNothing && w.isVideo() && s.Sync && w.beat.mayEnd(w.shown(s)) {
			return cutPart // the leader's keyframe may be on its way: see keyframeCame
		}
		return c
	}
	switch w.beat.opening {
	case openingFirst:
		if w.beat.target > 0 && len(w.open.Parts) > 0 {
			return cutOpening
		}
	case openingSecond:
		segment = w.sinceKeyframe()
	}
	if owed, ok := w.beat.end(w.msn); ok && w.shown(s) >= owed { // others have ended this one
		if !s.Sync {
			w.beat.refute(owed, w.nanoseconds(w.open.PTS))
		}
		if s.Sync || !w.beat.pictured || w.beyond(s) {
			return cutSegment
		}
	}
	if w.open.Gaps && w.open.Samples == 0 && w.part.empty() {
		return cutSegment // a segment's date is that of its first sample
	}
	if s.OpenGOP && w.open.Independent {
		// How many pictures lead differs: groups are as long as they are shown.
		segment = max(segment, w.duration(s.DTS+int64(s.CompositionOffset)-w.group.shown))
	}
	if s.Sync && w.prerollEndsAt(s) {
		return cutSegment
	}
	return w.beat.leader(segment, part, next, s.Sync, w.open.Independent || w.beat.opening != openingDone)
}

// begins tells whether there is no segment of the period yet.
func (w *writer) begins() bool {
	last := w.shelf.newest()
	return last == nil || last.Header.Period != w.header.Period
}

// shown is when the middle of a sample is shown, ns: it decides on which side of
// an end the sample lies.
func (w *writer) shown(s *remux.Sample) int64 {
	return w.nanoseconds(s.DTS + int64(s.CompositionOffset) + int64(s.Duration)/2)
}

// beyond tells whether a follower's segment ends before the coming sample. A picture
// that needs the ones before begins no segment, unless another segment would be over,
// too: numbers must not part.
func (w *writer) beyond(s *remux.Sample) bool {
	if w.isVideo() && !w.leads && s.Sync {
		w.stepsAhead(s)
	}
	end, known := w.beat.end(w.msn)
	if !known {
		return false
	}
	if !w.isVideo() {
		return w.nanoseconds(s.DTS+int64(s.Duration)/2) >= end
	}
	if w.keyframeCame() {
		return true
	}
	if !s.Sync && end > w.nanoseconds(w.open.PTS) && !w.missed(end, s) { // else it was over before it began
		if end, known = w.beat.end(w.msn + 1); !known {
			return false
		}
	}
	return w.shown(s) >= end
}

// missed tells whether the keyframe that a follower's segment should end at is in that already:
// it came when nobody knew, and there is no other to wait for.
func (w *writer) missed(end int64, s *remux.Sample) bool {
	half := w.nanoseconds(int64(s.Duration)) / 2
	return !w.leads && w.step.newest >= end-half && w.step.newest > w.nanoseconds(w.open.PTS)+half
}

// keyframeCame tells that a follower's open part begins with the keyframe that its next
// segment should begin with: it came before the leader's, so nobody knew. The part is
// carried over then. Where each frame is a fragment viewers may have some of it already.
func (w *writer) keyframeCame() bool {
	if !w.isVideo() || w.part.perFrame || w.part.empty() || w.part.samples[0].Flags != cmaf.Sync || len(w.open.Parts) == 0 {
		return false
	}
	first := w.part.samples[0]
	end, known := w.beat.end(w.msn)
	return known && w.nanoseconds(w.part.dts+int64(first.CompositionOffset)+int64(first.Duration)/2) >= end
}

// isOffBeat tells whether a picture that begins a follower's segment lies more than a
// frame from where the leader's segment ended.
func (w *writer) isOffBeat(s *remux.Sample) bool {
	end, _ := w.beat.end(w.msn)
	off := w.duration(s.DTS+int64(s.CompositionOffset)) - time.Duration(end)
	return off.Abs() > w.duration(int64(s.Duration))
}

// leadTo notes that the leader's segment ends in front of a sample. Where the others
// have ended theirs while the leader was away, its end is that.
func (w *writer) leadTo(s *remux.Sample) {
	if _, owed := w.beat.end(w.msn); owed {
		return
	}
	at := s.DTS + int64(s.CompositionOffset)
	if s.OpenGOP { // pictures come that are shown before it
		at = w.open.PTS + w.open.Duration
	}
	w.leadAlong()
	w.beat.lead(w.nanoseconds(at))
}

// leadAlong notes where the leader had ended segments by itself, as nobody led: who comes
// back ends those there, and not at keyframes that the leader has in its next ones.
func (w *writer) leadAlong() {
	for w.open != nil && w.beat.first+MSN(len(w.beat.ends)) < w.msn {
		w.beat.lead(w.nanoseconds(w.open.PTS))
	}
}

// sinceKeyframe is the duration of the leader's open segment, with what the
// first of a publication took of its GOP, and what isn't shown of it.
func (w *writer) sinceKeyframe() time.Duration {
	d := w.duration(w.open.Duration + w.preroll.hidden(w.open))
	if w.beat.opening == openingSecond {
		d += w.closed[len(w.closed)-1].duration()
	}
	return d
}
