package packager

import (
	"github.com/sluice-live/sluice/packager/cmaf"
	"github.com/sluice-live/sluice/remux"
)

// newest is what is known of the newest sample of a rendition. Its bytes are in the
// draft already, but how long it lasts is known only when the next one comes: until
// then it is pending. Where a part is full it isn't waited for: the sample is sealed.
// Times and durations are ticks.
type newest struct {
	came    uint32 // duration that it came with
	lasts   uint32 // duration that is expected of it, where it lies now
	pends   uint32 // … that it has as long as it is pending
	early   int64  // how much too early it is decoded, if that is more than a rounding
	end     int64  // decoding time at which it ends, as far as that is known
	pending bool   // it has the duration that is expected
	sealed  bool   // and that for good: the next one begins at end
}

// group is what is known of the newest group of pictures.
type group struct {
	shown int64 // where the first one is shown, ticks
	open  bool  // what is shown before that needs what was before the group
}

// flags are those of a sample that is shown at pts.
func (g *group) flags(sync, open bool, pts int64) cmaf.Flags {
	switch {
	case sync:
		g.shown, g.open = pts, open
		return cmaf.Sync
	case g.open && pts < g.shown:
		return cmaf.Leading
	}
	return cmaf.NonSync
}

// goesOver lets the rendition go over to another encoder, or to one that begins anew, at its first sample.
func (w *writer) goesOver(first *remux.Sample) {
	if !w.isVideo() {
		return
	}
	w.step.begin()                // ends that came while nobody wrote say nothing
	if first.DTS < w.newest.end { // inside the last picture: it is shown where that ends, see follow
		w.newest.sealed = false
	}
}

// follow fits a sample behind the one before, where that was sealed, or where
// the encoder's times are that close. It is decoded a little earlier or later
// than the encoder says and shown exactly when it says, and its own duration
// makes up for the difference. A picture that another publisher begins with inside
// the last one is shown where that ends.
func (w *writer) follow(s *remux.Sample) {
	n := &w.newest
	at, inside, rounding := s.DTS, false, int64(w.part.timescale)/200
	switch {
	case n.sealed:
		at = n.end
	case n.pending:
		at = max(at, w.part.dts+w.part.settled+1)
	case w.absence.wrote && (!w.isVideo() || w.open != nil || !w.begins()): // another publisher's may begin up to half a unit in front
		at = max(at, n.end)
		inside = at > s.DTS+rounding
	}
	n.sealed = false
	shift := s.DTS - at
	n.early, n.came = 0, s.Duration
	s.DTS = at
	s.Duration = uint32(max(1, int64(s.Duration)+shift))
	if !w.isVideo() {
		// Few players look for a composition offset of audio. It is heard early,
		// by a rounding, or by a unit that was lost.
		return
	}
	if shift > rounding {
		n.early = shift
	}
	s.CompositionOffset += int32(shift)
	if inside {
		s.CompositionOffset = max(s.CompositionOffset, int32(w.ticks(w.place())-at))
	}
}

// seal leaves the pending sample the duration that was expected, for good.
func (w *writer) seal() {
	w.settleLast()
	w.newest.sealed, w.newest.end = true, w.part.dts+w.part.settled
}

// settle gives the pending sample the duration that the next one's DTS says.
func (w *writer) settle(next int64) {
	if !w.newest.pending {
		return
	}
	w.newest.pends = uint32(next - (w.part.dts + w.part.settled))
	w.settleLast()
}

// settleLast leaves it the duration that was expected.
func (w *writer) settleLast() {
	if !w.newest.pending {
		return
	}
	d := w.expected()
	w.part.samples[len(w.part.samples)-1].Duration = w.newest.pends
	w.newest.pending = false
	w.part.settled += d
	w.open.Duration += d
}

// expected is the duration of the sample that is pending, if one is.
func (w *writer) expected() int64 {
	if !w.newest.pending {
		return 0
	}
	return int64(w.newest.pends)
}
