package packager

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// Publication is the writer's side of a stream: a remux.Output that leaves a
// new Window whenever a part is complete. It is used by one goroutine.
type Publication struct {
	stream  *Stream
	set     Settings
	now     func() time.Time
	release func()

	writers []*writer // by track index of the period
	leader  *writer   // has the keyframes: the first video, else the first audio
	period  *Period
	cutter  cutter

	target   int     // target duration in seconds, 0 while it isn't known
	starts   []int64 // presentation times, ns, at which the leader cut: where its segments begin, but for a period's first
	next     int64   // first number of a rendition that has none before it
	sequence int64   // of the next period
	extent   time.Duration
	changed  time.Time
	dirty    change
}

// change is what happened since the newest Window was made.
type change uint8

const (
	changeNone change = iota
	changePart
	changeSegment
)

func newPublication(s *Stream, set Settings, now func() time.Time, release func()) *Publication {
	p := &Publication{
		stream:  s,
		set:     set,
		now:     now,
		release: release,
		cutter:  cutter{segmentMin: set.SegmentMinDuration, segmentMax: set.SegmentMaxDuration, part: set.PartDuration},
		changed: now(),
	}
	p.next = firstNumber(p.changed)
	p.sequence = p.next
	for _, r := range s.Window().Renditions { // of the publication before
		p.next = max(p.next, int64(r.Open)+1)
		if r.Header != nil {
			p.sequence = max(p.sequence, r.Header.Period.Sequence+1)
		}
	}
	if len(s.Window().Renditions) > 0 {
		// Its segments stay fetchable, but the playlist is a new one.
		s.publish(&Window{Stream: s.name, Renditions: retired(s.Window()), Changed: p.changed})
	}
	return p
}

// retired returns the renditions of w with nothing listed.
func retired(w *Window) []Rendition {
	out := make([]Rendition, 0, len(w.Renditions))
	for _, r := range w.Renditions {
		out = append(out, Rendition{ID: r.ID, Retired: append(r.Retired[:len(r.Retired):len(r.Retired)], r.Segments...)})
	}
	return out
}

// SetTracks begins a period.
func (p *Publication) SetTracks(tracks []remux.Track) error {
	p.closeSegments()
	now := p.now()
	p.period = &Period{ID: strconv.FormatInt(now.UnixNano(), 36), Sequence: p.sequence, Start: -1}
	p.sequence++
	before := p.writers
	p.writers, p.leader, p.starts = nil, nil, nil
	var count [2]int
	for i, t := range tracks {
		count[t.Kind()]++
		id := RenditionID(fmt.Sprintf("%c%d", t.Kind().String()[0], count[t.Kind()]))
		w := p.writer(id, before)
		w.begin(&Header{Period: p.period, Track: t})
		p.writers = append(p.writers, w)
		if p.leader == nil || p.leader.header.Track.Kind() != remux.Video && t.Kind() == remux.Video {
			p.leader = p.writers[i]
		}
	}
	return nil
}

// writer returns the writer of a rendition, which goes on from period to
// period and takes over what an earlier publication left.
func (p *Publication) writer(id RenditionID, before []*writer) *writer {
	for _, w := range before {
		if w.id == id {
			return w
		}
	}
	w := &writer{id: id, msn: MSN(p.next)}
	if r, ok := p.stream.Window().Rendition(id); ok {
		w.closed, w.listed = r.Retired, len(r.Retired)
	}
	for _, o := range before {
		w.msn = max(w.msn, o.msn)
	}
	return w
}

// WriteSample takes one sample and cuts before it where that is due.
func (p *Publication) WriteSample(s remux.Sample) error {
	w := p.writers[s.Track]
	w.settle(s.DTS)
	if p.period.Start < 0 {
		p.period.Start = p.periodStart(w, s)
	}
	switch p.cutBefore(w, s) {
	case cutSegment:
		if err := p.closeSegment(w); err != nil {
			return err
		}
		if w == p.leader {
			const keep = 64 // followers are never that far behind
			p.starts = append(p.starts, nanoseconds(s.DTS+int64(s.CompositionOffset), w.header.Track.Timescale))
			p.starts = p.starts[max(0, len(p.starts)-keep):]
		}
	case cutPart:
		if err := p.closePart(w); err != nil {
			return err
		}
	}
	w.add(s)
	p.publish()
	return nil
}

// periodStart is where a period begins whose first sample is s. Behind another
// period that is what is shown first: the other's last pictures must not be cut
// off. At the beginning it is earlier, so that no sample lies before it.
func (p *Publication) periodStart(w *writer, s remux.Sample) int64 {
	at := s.DTS
	if len(w.closed) > w.listed {
		at += int64(s.CompositionOffset)
	}
	return nanoseconds(at, w.header.Track.Timescale)
}

func (p *Publication) cutBefore(w *writer, s remux.Sample) cut {
	if w.open == nil {
		return cutNothing
	}
	segment, part, next := w.duration(w.open.Duration), w.duration(w.partTicks), w.duration(int64(s.Duration))
	if w == p.leader {
		return p.cutter.leader(segment, part, next, s.Sync)
	}
	return p.cutter.follower(segment, part, next, p.beyond(w, s))
}

// beyond tells whether a follower's sample lies at or behind a boundary of the
// leader that the follower's segment has not ended at. Half a sample decides
// to which side of the boundary it belongs.
func (p *Publication) beyond(w *writer, s remux.Sample) bool {
	timescale := w.header.Track.Timescale
	at := nanoseconds(s.DTS+int64(s.Duration)/2, timescale)
	from := nanoseconds(w.open.DTS+int64(s.Duration)/2, timescale)
	for i := len(p.starts) - 1; i >= 0 && p.starts[i] > from; i-- {
		if at >= p.starts[i] {
			return true
		}
	}
	return false
}

func (p *Publication) closePart(w *writer) error {
	if err := w.closePart(); err != nil {
		return err
	}
	p.dirty = max(p.dirty, changePart)
	return nil
}

func (p *Publication) closeSegment(w *writer) error {
	if err := w.closeSegment(p.set.Segments); err != nil {
		return err
	}
	p.dirty = changeSegment
	if w == p.leader && p.target == 0 {
		p.target = targetDuration(w.closed[len(w.closed)-1].duration(), p.set.SegmentMinDuration)
		p.cutter.segmentMax = longest(p.target)
	}
	p.extent = max(p.extent, w.extent())
	w.forget(p.extent + longest(p.target))
	return nil
}

// closeSegments ends the open segment of every rendition.
func (p *Publication) closeSegments() {
	for _, w := range p.writers {
		w.settleLast()
		if w.open != nil {
			// Only a header that can't be written fails, and it was written.
			_ = p.closeSegment(w)
		}
	}
}

// publish shows what changed to the viewers, in one step for all renditions.
// It costs the same however long the window is.
func (p *Publication) publish() {
	if p.dirty == changeNone {
		return
	}
	if p.dirty == changeSegment {
		p.changed = p.now()
	}
	p.dirty = changeNone
	p.stream.publish(p.snapshot(false))
}

func (p *Publication) snapshot(ended bool) *Window {
	w := &Window{
		Stream:         p.stream.name,
		Ended:          ended,
		TargetDuration: p.target,
		Changed:        p.changed,
		Extent:         p.extent,
	}
	w.Renditions = w.pair[:]
	if len(p.writers) > len(w.pair) {
		w.Renditions = make([]Rendition, len(p.writers))
	}
	w.Renditions = w.Renditions[:len(p.writers)]
	for i, from := range p.writers {
		from.snapshot(&w.Renditions[i])
	}
	return w
}

// Close ends the stream: everything received is in the last segments.
func (p *Publication) Close(error) {
	p.closeSegments()
	p.changed = p.now()
	if len(p.writers) > 0 {
		p.stream.publish(p.snapshot(true))
	} else {
		p.stream.publish(&Window{Stream: p.stream.name, Renditions: p.stream.Window().Renditions, Ended: true, Changed: p.changed})
	}
	p.release()
}
