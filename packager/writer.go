package packager

import (
	"time"

	"github.com/sluice-live/sluice/remux"
)

// writer makes the parts and segments of one rendition, which go on from period to
// period. It keeps to the beat; the leader's leads it, too.
//
// With many streams the memory of each is cold when its next sample comes, and that is
// what a sample costs. So what each one needs lies together, in front.
type writer struct {
	*common
	header  *Header
	open    *Segment // in the making: no Window has it; nil when none is open
	leads   bool     // it has the keyframes that segments begin with
	newest  newest
	absence absence
	preroll preroll
	group   group
	part    openPart

	shelf               // closed segments
	msn       MSN       // of the open one, or the one that comes
	openBegan time.Time // when its first sample came
	id        RenditionID
	order     int // among renditions of its kind, as viewers see them
	foresight foresight
	joined    int64 // the head when it joined others of a period, ns; 0 when it began with them
	step      step

	rate      rate
	frameRate remux.Rational
	late      time.Duration // see Window.Late
}

// common is what the writers of a publication share.
type common struct {
	now       func() time.Time
	turn      *turn  // nil when none is planned
	change    change // of what viewers see, since the newest Window
	beat      beat
	retention retention
	set       Settings
}

// change is what happened since the newest Window was made.
type change uint8

const (
	changeNone   change = iota
	changeGrowth        // of a part
	changePart
	changeList // of what lists say of the open segment
	changeSegment
)

// begin starts a period. Where the track is the same, so is its header.
func (w *writer) begin(t remux.Track) {
	h := &Header{Period: w.beat.period, Track: t}
	w.absence.begin()
	w.step.begin()
	if w.header != nil && w.header.Track.Same(t) {
		if h.Bytes = w.header.Bytes; h.Bytes != nil {
			h.Before = w.header.Period
		}
	} else {
		w.frameRate = remux.Rational{}
	}
	w.header, w.leads, w.joined, w.preroll = h, false, 0, preroll{}
	if old := w.part.timescale; old != 0 && old != t.Timescale {
		w.newest.end = ticksOf(nanoseconds(w.newest.end, old), t.Timescale)
	}
	w.part.timescale, w.part.perFrame = t.Timescale, w.set.FrameFragments
	w.newest.sealed, w.foresight.promise, w.foresight.offBeat = false, 0, false
}

// isVideo tells that only some of its samples can be decoded without others.
func (w *writer) isVideo() bool { return w.header.Track.Kind() == remux.Video }

// nanoseconds turns ticks of the track into nanoseconds.
func (w *writer) nanoseconds(ticks int64) int64 { return nanoseconds(ticks, w.part.timescale) }

func (w *writer) duration(ticks int64) time.Duration { return time.Duration(w.nanoseconds(ticks)) }

// ticks is the inverse of nanoseconds.
func (w *writer) ticks(ns int64) int64 { return ticksOf(ns, w.part.timescale) }

// write puts a sample into the rendition, cuts before it where that is due, and
// closes the part behind it when no other sample will fit. It changes s.
func (w *writer) write(s *remux.Sample) error {
	if err := w.bridge(s); err != nil {
		return err
	}
	w.follow(s)
	w.settle(s.DTS)
	w.learn(s)
	whole := s.Duration
	if w.newest.early > 0 {
		if room := uint32(w.room()); whole+w.newest.came > room {
			s.Duration = max(w.newest.came, room) // it fills its part, and those behind it the next ones
		}
	}
	if err := w.cutBefore(s); err != nil {
		return err
	}
	if w.open == nil && s.Sync { // its segment begins where it is shown
		s.Duration = whole
	}
	if w.add(s); len(w.part.samples) == 1 {
		w.part.began = w.now()
		if w.open.Samples == 0 {
			w.openBegan = w.part.began
		}
	}
	if w.part.perFrame {
		if err := w.grow(); err != nil {
			return err
		}
	}
	if w.full() || w.bulky() {
		// Waiting for the next sample to learn how long this one lasts would
		// cost a frame's time. It lasts as long as expected, and the next one
		// is fitted behind it.
		w.seal()
		return w.closePart()
	}
	return nil
}

// full tells whether no other sample will fit into the part.
func (w *writer) full() bool {
	grid, last := &w.beat.grid, w.expected()
	part, next := w.duration(w.part.settled+last), w.duration(int64(w.newest.came))
	return grid.mayEnd(part, next) && grid.ends(w.duration(w.open.Duration+last), part, next)
}

// learn takes from the first samples what they tell.
func (w *writer) learn(s *remux.Sample) {
	if !w.leads {
		if w.open == nil {
			w.join(w.shown(s))
		}
		if w.joined > 0 && w.open != nil && len(w.open.Parts) == 0 && len(w.part.samples) == 1 && w.beat.grid.step > 0 {
			w.beat.measure(w.beat.leading) // its frames may be others
		}
		return
	}
	if w.open != nil && len(w.open.Parts) == 0 && len(w.part.samples) == 1 { // from the second sample on, the frame rate is a fact
		w.beat.measure(frames{w.duration(int64(s.Duration)), w.isVideo()})
	}
	gop := w.header.Track.KeyframeInterval
	if unit := int64(s.Duration); !w.isVideo() && unit > 0 {
		// It can be cut behind any unit: the first at which the least is reached.
		least := w.ticks(int64(w.set.SegmentMinDuration))
		gop = w.duration((least - unit/2 + unit - 1) / unit * unit)
	}
	w.beat.tell(gop)
}

// join lets a rendition that begins late, at that time in ns, begin with the number
// that segments of that time have.
func (w *writer) join(at int64) {
	if !w.leads && w.open == nil && w.unlisted() {
		w.msn = max(w.msn, w.beat.numberAt(at))
	}
}

// add puts a sample into the open part, beginning one where there is none.
func (w *writer) add(s *remux.Sample) {
	pts := s.DTS + int64(s.CompositionOffset)
	flags := w.group.flags(s.Sync, s.OpenGOP, pts)
	if w.open == nil {
		if last := w.shelf.newest(); (!s.Sync || s.OpenGOP) && last != nil && last.Header == w.header {
			// Pictures are reordered over the cut: it is where the last segment ends.
			pts = last.PTS + last.Duration
		}
		w.openSegment(s.DTS, pts, s.Sync)
		if w.leads {
			w.beat.opens(w.nanoseconds(pts), w.nanoseconds(w.preroll.hidden(w.open)), s.Sync)
		}
		w.open.Leading = s.OpenGOP
		if s.Sync {
			w.open.Duration = -w.newest.early // it is shown later, and no longer
		}
	}
	if w.leads && s.Sync && w.isVideo() {
		w.beat.keyframe(w.nanoseconds(pts))
	}
	if w.open.Samples == 0 && w.part.empty() && len(w.open.Parts) > 0 { // it began with gaps
		w.open.DTS, w.open.Independent, w.open.Leading = s.DTS, s.Sync, s.OpenGOP
	}
	if pts < w.open.PTS && w.open.Independent && w.open.Lead == 0 {
		w.open.PTS = min(w.open.PTS, w.inOrder(pts))
	}
	early := int64(0)
	if w.part.empty() {
		w.open.Tail, w.part.tail = 0, w.open.Tail // it has gone on
		switch n := len(w.open.Parts); {
		case n == 0:
			early = -w.open.Duration
		case w.open.Parts[n-1].Gap:
			// Players were told of the gap already: where that reaches into what is shown, the part is told to
			// last that much less.
			early = max(0, w.open.PTS+w.open.Duration-w.shownFrom(s))
			w.open.Duration -= early
		}
	}
	w.part.add(s, flags, early, w.open.Samples == 0)
	w.absence.note(s.CompositionOffset)
	w.newest.lasts, w.newest.pends, w.newest.pending, w.newest.end = s.Duration, s.Duration, true, s.DTS+int64(s.Duration)
}

// openDuration is that of the open segment so far, 0 where there is none.
func (w *writer) openDuration() time.Duration {
	if w.open == nil {
		return 0
	}
	return w.duration(w.open.Duration + w.expected())
}

// periodStart is where a period begins whose first sample is s, ns. Behind another
// period that is what is shown first: the other's last pictures must not be cut
// off. At the beginning it is earlier, so that no sample lies before it.
func (w *writer) periodStart(s *remux.Sample) int64 {
	at := s.DTS
	if !w.unlisted() {
		at += int64(s.CompositionOffset)
	}
	return w.nanoseconds(at)
}

// place is how far the rendition has come in presentation time, ns.
func (w *writer) place() int64 {
	if w.open != nil {
		return w.nanoseconds(w.open.PTS + w.open.Duration + w.expected())
	}
	start := max(w.header.Period.Start, w.joined)
	switch last := w.shelf.newest(); {
	case last == nil:
		return start
	case last.Header.Period == w.header.Period:
		return last.endPTS()
	case w.absence.trackless: // what it was filled with may reach into the period
		const most = 200 * time.Millisecond
		start = min(max(start, last.endPTS()), start+int64(most))
	}
	if w.isVideo() { // and so may its pictures
		start = max(start, w.over())
	}
	return start
}

// frames are those of the rendition, where it is known how long they last.
func (w *writer) frames() (f frames, known bool) {
	if unit := int64(w.header.Track.UnitDuration); unit > 0 {
		return frames{last: w.duration(unit)}, true
	}
	return frames{last: w.duration(int64(w.newest.lasts)), video: true}, w.isVideo() && w.absence.wrote
}

func (w *writer) snapshot(r *Rendition) {
	*r = Rendition{
		ID:        w.id,
		Segments:  w.closed[w.listed:len(w.closed):len(w.closed)],
		Retired:   w.closed[:w.listed:w.listed],
		Open:      w.msn,
		NextPart:  w.part.number,
		FrameRate: w.frameRate,
		Peak:      w.rate.highest(),
		Average:   w.rate.all.rate(),
		Measured:  w.rate.all.seconds,
	}
	if s := w.open; s != nil {
		n := len(s.Parts)
		r.Parts, r.OpenStart, r.OpenPTS, r.OpenIndependent = s.Parts[:n:n], s.Start, s.PTS, s.Independent
		r.OpenLeading, r.OpenGap = s.Leading, s.Gaps
		r.ExpectedDuration, r.NextDuration = w.foresight.expected, w.foresight.next
	}
	r.Away, r.AwaySince = w.absence.away, w.absence.since
	if r.Draft = cap(w.part.draft.bytes); w.part.perFrame {
		r.Draft -= len(w.part.draft.bytes) // they are in Growing
	}
	if w.header.Bytes != nil {
		r.Header = w.header
	}
	if w.part.perFrame && !w.part.empty() {
		r.Growing = w.part.draft.growing()
	}
}
