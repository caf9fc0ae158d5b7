package packager

import (
	"slices"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// All renditions of a stream keep pace with the one that is furthest, in time and
// in numbers. Where the samples of one stay away, its time is filled: with units
// of silence where its track has them, else with gaps, which are parts that no
// bytes stand behind.
//
//	v1  │ part │ part │ par             ← the picture stays away
//	a1  │ part │ part │ part │ part │   ← head
//	                   ├ patience ┤
//	v1  │ part │ part │ par│gap│        as far as the head, but for the patience
//
// Filling begins, and goes on, as far behind the head as the rendition's samples
// may come late. So those that come back find their place free.

const (
	// soundPatience and picturePatience are how much later than usual samples may
	// come. A picture that stands still costs viewers less than one that is cut.
	soundPatience   = 300 * time.Millisecond
	picturePatience = time.Second

	// firstLateness is what the samples of a rendition are taken to be late by
	// before some came, and mostLateness is the most that is waited for.
	firstLateness = 700 * time.Millisecond
	mostLateness  = 3500 * time.Millisecond

	// mostFill is how much is filled at a time.
	mostFill = time.Minute
)

// lateness is how far the samples of a rendition come behind those of the one
// that is furthest: encoders interleave as they like. It is the most of late.
type lateness struct {
	known bool
	most  time.Duration
}

func (l *lateness) heard(late time.Duration) {
	if !l.known {
		l.known, l.most = true, firstLateness
	}
	late = min(max(late, 0), mostLateness)
	l.most = max(late, l.most-(l.most-late)/128)
}

func (l *lateness) usual() time.Duration {
	if !l.known {
		return firstLateness
	}
	return l.most
}

// patience is how far a rendition may be behind the head.
func (w *writer) patience() time.Duration {
	if w.trackless {
		return 0
	}
	if w.header.Track.Kind() == remux.Audio {
		return w.late.usual() + soundPatience
	}
	// An encoder that sends few frames is not away between them.
	frame := w.duration(int64(w.frame))
	return w.late.usual() + max(picturePatience, 3*min(frame, time.Second))
}

// heard notes how far a sample that has come is, and how far behind the others.
func (p *Publication) heard(w *writer, s remux.Sample) {
	at := nanoseconds(s.DTS, w.header.Track.Timescale)
	w.late.heard(time.Duration(p.head - at))
	p.head = max(p.head, at)
	if w == p.leader && w.wrote && !w.away && at-p.place(w) > int64(w.patience()) {
		w.away, w.awaySince = true, p.place(w) // and so were the others, or it had been seen
	}
	p.leadAway()
}

// pace lets the renditions keep pace with the one that a sample has come for.
func (p *Publication) pace(w *writer) error {
	for _, o := range p.writers {
		if o == w {
			continue
		}
		if until := p.head - int64(o.patience()); p.place(o) < until {
			if err := p.fill(o, until); err != nil {
				return err
			}
		}
	}
	return nil
}

// place is how far a rendition has come in presentation time, ns.
func (p *Publication) place(w *writer) int64 {
	switch n := len(w.closed); {
	case w.open != nil:
		return nanoseconds(w.open.PTS+w.open.Duration+w.expected(), w.header.Track.Timescale)
	case n > w.listed && w.closed[n-1].Header.Period == p.period:
		return w.closed[n-1].endPTS()
	}
	return p.period.Start
}

// fill takes the time up to until, ns, of a rendition that stays away.
func (p *Publication) fill(w *writer, until int64) error {
	until = min(until, p.place(w)+int64(mostFill)) // the next sample has the rest filled
	if !w.away {
		w.away, w.awaySince = true, p.place(w)
	}
	if len(w.header.Track.Silence) > 0 {
		return p.fillSilence(w, until)
	}
	return p.fillGap(w, until)
}

// fillSilence writes the units of silence that end by then.
func (p *Publication) fillSilence(w *writer, until int64) error {
	unit := int64(w.header.Track.UnitDuration)
	if !w.wrote {
		w.end = ticksOf(p.place(w), w.header.Track.Timescale)
	}
	for nanoseconds(w.end+unit, w.header.Track.Timescale) <= until {
		if err := p.silence(w, unit); err != nil {
			return err
		}
	}
	return nil
}

// silenceTo fills the time up to a sample that has come. The last unit is cut
// short, or that sample would be heard early.
func (p *Publication) silenceTo(w *writer, s remux.Sample) error {
	if err := p.fillSilence(w, nanoseconds(s.DTS, w.header.Track.Timescale)); err != nil {
		return err
	}
	if rest := s.DTS - w.end; rest > int64(w.header.Track.UnitDuration)/4 {
		return p.silence(w, rest)
	}
	return nil
}

// silence writes a unit of silence that lasts so many ticks.
func (p *Publication) silence(w *writer, ticks int64) error {
	return p.write(w, remux.Sample{DTS: w.end, Duration: uint32(ticks), Sync: true, Data: w.header.Track.Silence})
}

// fillGap adds the gaps that end by then, on the grid and at the boundaries of
// the other renditions.
func (p *Publication) fillGap(w *writer, until int64) error {
	if err := p.beginGap(w); err != nil {
		return err
	}
	for {
		end, closes := p.gapEnd(w)
		if end > until {
			return nil
		}
		if err := p.gapPart(w, end); err != nil {
			return err
		}
		if closes {
			if w == p.leader {
				p.leadGap(end)
			}
			if err := p.closeSegment(w); err != nil {
				return err
			}
		}
	}
}

// beginGap ends the part that the rendition was in.
func (p *Publication) beginGap(w *writer) error {
	if p.cutter.grid.step == 0 {
		p.cutter.grid = looseGrid(p.set.PartDuration)
	}
	if w == p.leader {
		p.opening = openingDone
	}
	w.settleLast()
	w.sealed = false
	if w.header.Bytes == nil {
		if err := w.makeHeader(w.draft.payload()); err != nil {
			return err
		}
	}
	return p.closePart(w)
}

// gapEnd is where the next gap of a rendition ends, ns, and whether its segment
// ends there, too.
func (p *Publication) gapEnd(w *writer) (end int64, closes bool) {
	place, begin := p.place(w), p.place(w)
	if w.open != nil {
		begin = nanoseconds(w.open.PTS, w.header.Track.Timescale)
	}
	step := int64(p.cutter.grid.step)
	const sliver = int64(10 * time.Millisecond)
	end = begin + ((place-begin+sliver)/step+1)*step
	boundary, ok := p.nextBoundary(w, begin)
	if !ok {
		return end, false
	}
	// No scrap is left in front of a boundary.
	if boundary <= end || boundary-end < step/2 && boundary-place <= int64(p.cutter.grid.target) {
		return max(boundary, place), true
	}
	return end, false
}

// nextBoundary is where a rendition's open segment, which began there, is to end.
func (p *Publication) nextBoundary(w *writer, begin int64) (at int64, ok bool) {
	const least = int64(20 * time.Millisecond) // of a segment whose end had been there before it began
	most := begin + int64(p.cutter.segmentMax)
	from := p.newBoundary(w)
	if w == p.leader {
		from = w.boundary
	}
	for _, at := range p.starts {
		if at > from {
			return min(max(at, begin+least), most), true
		}
	}
	if w != p.leader {
		return most, true
	}
	return min(max(p.awayNext(), begin+least), most), true
}

// gapPart adds a part without bytes that ends there.
func (p *Publication) gapPart(w *writer, end int64) error {
	place := p.place(w)
	timescale := w.header.Track.Timescale
	if w.open == nil {
		p.join(w, place)
		at := ticksOf(place, timescale)
		w.openSegment(at, at, true)
	}
	d := ticksOf(end, timescale) - (w.open.PTS + w.open.Duration)
	if d <= 0 {
		return nil
	}
	w.open.Parts = append(w.open.Parts, Part{Number: w.part, Duration: d, Gap: true})
	w.part++
	w.open.Duration += d
	w.open.Gaps = true
	if w.open.Samples == 0 {
		w.open.Lead += d
	} else {
		shown := min(d, w.early) // pictures that were decoded early
		w.early -= shown
		w.open.Tail += d - shown
	}
	p.dirty = max(p.dirty, changePart)
	return nil
}

// back ends the absence of a rendition whose sample has come. It returns false
// where the sample's place was filled already: it comes too late.
func (p *Publication) back(w *writer, s remux.Sample) (inTime bool, err error) {
	if !w.away {
		return true, nil
	}
	if len(w.header.Track.Silence) > 0 {
		if w.wrote && s.DTS+int64(s.Duration)/2 < w.end {
			return false, nil
		}
		w.away = false
		return true, p.silenceTo(w, s)
	}
	shown := s.CompositionOffset
	if !s.Sync && w.wrote { // pictures behind it may be shown before it
		shown = min(shown, w.leastOffset)
	}
	if err := p.gapTo(w, nanoseconds(s.DTS+int64(shown), w.header.Track.Timescale)); err != nil {
		return true, err
	}
	w.away = false
	return true, nil
}

// bridge closes a hole in front of a sample that has come before anybody lost
// patience. Sound gets silence. Pictures that can be decoded without the ones
// before begin behind a gap. Others are decoded where those before end, and shown
// when they should be: players would drop them behind a hole.
func (p *Publication) bridge(w *writer, s remux.Sample) error {
	if !w.wrote || p.cutter.grid.step == 0 {
		return nil
	}
	hole := s.DTS - w.end
	if w.header.Track.Kind() == remux.Audio && len(w.header.Track.Silence) > 0 {
		if hole < 2*int64(w.header.Track.UnitDuration) {
			return nil
		}
		return p.silenceTo(w, s)
	}
	if s.Sync && w.duration(hole) >= scrap {
		return p.gapTo(w, nanoseconds(s.DTS+int64(s.CompositionOffset), w.header.Track.Timescale))
	}
	if w.pending && w.duration(w.partTicks+w.expected()+hole) > p.cutter.grid.target {
		if room := p.room(w); room > w.expected() && hole > 0 {
			w.samples[len(w.samples)-1].Duration = uint32(min(room, w.expected()+hole))
		}
		w.seal()
		return p.closePart(w)
	}
	return nil
}

// room is how many ticks there are from the newest sample, if it is pending, or
// from its end to where the part ends.
func (p *Publication) room(w *writer) int64 {
	if w.open == nil || p.cutter.grid.step == 0 {
		return int64(p.cutter.grid.target) * int64(w.header.Track.Timescale) / int64(time.Second)
	}
	const rounding = 5 * time.Millisecond
	step := p.cutter.grid.step
	d := w.duration(w.open.Duration)
	left := ((d+rounding)/step+1)*step - d
	target, part := p.cutter.grid.target, w.duration(w.partTicks)
	left = min(max(left, time.Duration(fill*float64(target))-part), target-part)
	return int64(left) * int64(w.header.Track.Timescale) / int64(time.Second)
}

// fillTo takes the time up to there, ns, of a rendition that stays away, to the tick.
func (p *Publication) fillTo(w *writer, until int64) error {
	if len(w.header.Track.Silence) > 0 {
		return p.fillSilence(w, until)
	}
	return p.gapTo(w, until)
}

// gapTo does so with gaps.
func (p *Publication) gapTo(w *writer, until int64) error {
	if err := p.fillGap(w, until); err != nil {
		return err
	}
	if p.place(w) < until {
		return p.gapPart(w, until)
	}
	return nil
}

// goesOn keeps a rendition that the encoder has no track for any more. Those who
// watch it have the rest of the stream go on.
func (p *Publication) goesOn(w *writer) bool {
	if w.header.Bytes == nil || !slices.ContainsFunc(w.closed, func(s *Segment) bool { return !s.Gap() }) {
		return false
	}
	w.begin(p.period, w.header.Track, p.set.FrameFragments)
	w.away, w.awaySince, w.trackless = true, p.id, true
	if w.header.Track.Kind() == remux.Video {
		p.writers = slices.Insert(p.writers, 0, w)
	} else {
		p.writers = append(p.writers, w)
	}
	return true
}

// While the leader is away, segments end as far apart as they did before: where
// its gaps end, by the clock of those that are there.

// leadAway notes the boundaries that the head has come to.
func (p *Publication) leadAway() {
	if p.leader == nil || !p.leader.away {
		return
	}
	for next := p.awayNext(); next <= p.head; next = p.awayNext() {
		p.lead(next)
	}
}

// leadGap notes that the leader ended a segment there, ns, while it is away: at the
// boundary that the others had, or before them.
func (p *Publication) leadGap(end int64) {
	owed, ok := p.owed()
	if !ok {
		p.lead(end)
		owed = end
	}
	p.leader.boundary = owed
}

// awayNext is where the next boundary is while the leader is away: as far behind the
// last one as segments last, or, where another rendition had gone beyond that before
// anybody knew that the leader is away, where that is.
func (p *Publication) awayNext() int64 {
	length := p.rhythm.segment
	if length == 0 || p.target > 0 && length > longest(p.target) {
		length = p.set.SegmentMinDuration
	}
	last := p.period.Start
	if n := len(p.starts); n > 0 {
		last = p.starts[n-1]
	}
	const unit = 100 * time.Millisecond
	next := last + int64(length)
	for _, w := range p.writers {
		if at := p.place(w); w != p.leader && at-next > int64(unit) {
			next = min(at, last+int64(p.cutter.segmentMax))
		}
	}
	return next
}
