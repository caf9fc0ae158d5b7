package packager

import (
	"time"

	"github.com/sluice-live/sluice/remux"
)

// absence is what is known of samples that stay away, in the newest period. Their time
// is filled: with units of silence where the track has them, else with gaps, which
// are parts that no bytes stand behind.
type absence struct {
	late        lateness
	wrote       bool  // there is a sample in the period
	leastOffset int32 // composition offset of the period's samples, ticks
	away        bool
	since       int64 // media time, ns since 1970
	trackless   bool  // the encoder has no track for it: no sample will come
	broken      bool  // a picture came too late: those behind it can't be decoded
}

// begin begins a period.
func (a *absence) begin() { a.wrote, a.away, a.trackless, a.broken = false, false, false, false }

// note takes a sample that is written.
func (a *absence) note(compositionOffset int32) {
	if !a.wrote || compositionOffset < a.leastOffset {
		a.leastOffset = compositionOffset
	}
	a.wrote = true
}

const (
	// soundPatience and picturePatience are how much later than usual samples may
	// come. A picture that stands still costs viewers less than one that is cut.
	soundPatience   = 300 * time.Millisecond
	picturePatience = time.Second

	// crewTime is how long pictures of several publishers wait for theirs where a period begins
	// with another one: those that were lost together come back one after another.
	crewTime = 1500 * time.Millisecond

	// mostFill is how much is filled at a time.
	mostFill = time.Minute
)

// patience is how far a rendition may be behind the head.
func (w *writer) patience() time.Duration {
	a := &w.absence
	if a.trackless {
		if start := w.header.Period.Start; w.set.Genlock && w.isVideo() && w.beat.paced < start+int64(crewTime) {
			return crewTime
		}
		return 0
	}
	if !w.isVideo() {
		return a.late.usual() + soundPatience
	}
	// An encoder that sends few frames is not away between them.
	frame := w.duration(int64(w.newest.lasts))
	return a.late.usual() + max(picturePatience, 3*min(frame, time.Second))
}

// leave notes that samples stay away from here on.
func (w *writer) leave() {
	if a := &w.absence; !a.away {
		a.away, a.since = true, w.place()
		w.step.begin() // ends that come meanwhile say nothing
		w.relist()
	}
}

// relist notes that lists have another open segment than before: no manifest lists one
// that nothing can be said of any more.
func (w *writer) relist() { w.change = max(w.change, changeList) }

// back ends the absence of a rendition whose sample has come. It returns false
// where the sample's place was filled already: it comes too late.
func (w *writer) back(s *remux.Sample) (inTime bool, err error) {
	a := &w.absence
	if !a.away {
		return true, nil
	}
	if w.canBeSilent() {
		if a.wrote && s.DTS+int64(s.Duration)/2 < w.newest.end {
			return false, nil
		}
		a.away = false
		return true, w.silenceTo(s)
	}
	from := w.shownFrom(s)
	if a.broken = a.broken && !s.Sync || w.nanoseconds(from+int64(s.Duration)/2) < w.place(); a.broken {
		return false, nil
	}
	if err := w.gapTo(w.nanoseconds(from)); err != nil {
		return true, err
	}
	a.away = false
	w.relist()
	return true, nil
}

// shownFrom is from when on a sample is shown, and pictures behind it that may be shown before it, ticks.
func (w *writer) shownFrom(s *remux.Sample) int64 {
	offset := s.CompositionOffset
	if !s.Sync && w.absence.wrote {
		offset = min(offset, w.absence.leastOffset)
	}
	return s.DTS + int64(offset)
}

// goesOnWith tells whether a rendition can go on with a sample of another publisher than
// the one before, or of one that begins anew: a picture at a keyframe, and nothing goes
// back.
func (w *writer) goesOnWith(s *remux.Sample) bool {
	if w.isVideo() {
		return s.Sync && w.isBehind(s, w.place())
	}
	return w.unlisted() && w.open == nil || s.DTS+int64(s.Duration)/2 >= w.newest.end
}

// isBehind tells whether a picture is shown from there on, ns, and not in front of it: by half of what it
// lasts, or the newest picture does. Nobody knows yet how long the first of an encoder lasts, and of two
// encoders' pictures of one time either may be that one.
func (w *writer) isBehind(s *remux.Sample, there int64) bool {
	lasts := s.Duration
	if newest := w.newest.lasts; newest > 0 {
		lasts = min(lasts, newest)
	}
	return w.nanoseconds(s.DTS+int64(s.CompositionOffset)+int64(lasts)/2) >= there
}

// bridge closes a hole in front of a sample that has come before anybody lost
// patience. Sound gets silence, or a gap. Pictures that can be decoded without the ones
// before begin behind a gap. Others are decoded where those before end, and shown
// when they should be: players would drop them behind a hole.
func (w *writer) bridge(s *remux.Sample) error {
	if !w.absence.wrote || w.beat.grid.step == 0 {
		return nil
	}
	const least = 40 * time.Millisecond // that a date may not be off by
	hole := s.DTS - w.newest.end
	if !w.isVideo() && w.canBeSilent() {
		unit := int64(w.header.Track.SilenceDuration)
		full := w.newest.pending && w.duration(w.part.settled+w.expected()+hole) > w.beat.grid.target
		fixed := full || !w.newest.pending // the one before the hole can't last longer
		switch {
		case hole >= 2*unit || w.duration(hole+unit) > w.beat.grid.target || fixed && w.duration(hole) >= least:
			return w.silenceTo(s)
		case full: // the one behind it makes up for it
			w.seal()
			return w.closePart()
		}
		return nil // the one before it does
	}
	const stands = 100 * time.Millisecond // players jump over less, and stand in front of more
	shown, frame := w.nanoseconds(s.DTS+int64(s.CompositionOffset)), w.duration(int64(s.Duration))
	told := max(least, min(2*frame, max(stands, frame*3/4))) // a hole that long; of long frames, none but jitter is shorter
	if s.Sync && (w.duration(hole) >= scrap || !w.newest.pending && w.duration(hole) >= told && shown-w.place() >= int64(least)) {
		return w.gapTo(shown)
	}
	if w.newest.pending && (w.duration(w.part.settled+w.expected()+hole) > w.beat.grid.target ||
		w.duration(w.open.Duration+w.expected()+hole) > w.beat.segmentMax) {
		if !w.isVideo() && w.duration(hole) >= least { // it would be heard that much too early
			return w.gapTo(w.nanoseconds(s.DTS))
		}
		if room := w.room(); room > w.expected() && hole > 0 {
			w.newest.pends = uint32(min(room, w.expected()+hole))
		}
		w.seal()
		if err := w.closePart(); err != nil || !w.isVideo() || !s.Sync || shown-w.place() < int64(told) {
			return err
		}
		return w.gapTo(shown) // the part had no room for all of it
	}
	return nil
}

// room is how many ticks there are from the newest sample, if it is pending, or
// from its end to where the part ends.
func (w *writer) room() int64 {
	const rounding = 5 * time.Millisecond
	step, target := w.beat.grid.step, w.beat.grid.target
	left := target
	if w.open != nil && step > 0 {
		d, part := w.duration(w.open.Duration), w.duration(w.part.settled)
		left = ((d+rounding)/step+1)*step - d
		left = min(max(left, time.Duration(fill*float64(target))-part), target-part, w.beat.segmentMax-d)
	}
	return int64(left) * int64(w.part.timescale) / int64(time.Second)
}

// fill takes the time up to until, ns, of a rendition that stays away.
func (w *writer) fill(until int64) error {
	until = min(until, w.place()+int64(mostFill)) // the next sample has the rest filled
	w.leave()
	if w.canBeSilent() {
		return w.fillSilence(until)
	}
	return w.fillGap(until)
}

// fillTo does so to the tick.
func (w *writer) fillTo(until int64) error {
	if w.canBeSilent() {
		return w.fillSilence(until)
	}
	return w.gapTo(until)
}
