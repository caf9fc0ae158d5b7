package packager

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// publication is the writer's side of a stream: it leaves a new Window whenever a part
// is complete. Publishers write to it by Contributions, each in a goroutine of its own;
// mu guards all of it.
//
// It has the life of the stream, and writers, one for each rendition. What they do
// alike is the beat's.
type publication struct {
	mu      sync.Mutex
	by      []*Contribution // who contributes
	writers []*writer       // of the period, video first
	leader  *writer         // the first video, else the first audio; another video while that is away
	genlock *remux.Genlock  // nil: there can't be several
	common

	stream    *Stream
	soundFrom *Contribution // nil: nobody
	former    formers       // renditions that the period doesn't have

	leftOut  []string // what they say of what they send, see hear
	captions remux.Captions

	changed time.Time // the list of segments did, by the wall clock
	begun   bool      // it was playable once
}

func newPublication(s *Stream, set Settings, least numbers, now func() time.Time) *publication {
	p := &publication{
		stream:  s,
		common:  common{set: set, now: now, beat: newBeat(set)},
		changed: now(),
	}
	p.retention = retention{stream: s, most: set.Segments, listed: set.Segments, held: p.held}
	if old := s.Window(); len(old.Renditions)+len(old.Former) > 0 {
		// The segments of the publication before stay fetchable, but the
		// playlist is a new one.
		least = least.or(numbersBehind(old))
		for r := range old.all {
			p.retire(r, old.Extent+old.Longest())
			p.beat.id = max(p.beat.id, newestID(r))
		}
		w := newWindow(s.name)
		w.Former, w.Changed = p.former.renditions(p.changed), p.changed
		s.publish(w)
	}
	if set.Genlock {
		p.genlock = remux.NewGenlock()
	}
	p.beat.number, p.beat.sequence = MSN(least.media), least.discontinuity
	return p
}

// newestID is the id of the newest period that a rendition has segments of. Who
// comes next goes on behind it: names have nothing else but media times, which
// a clock that was set may bring again.
func newestID(r *Rendition) int64 {
	newest := int64(0)
	for _, list := range [][]*Segment{r.Segments, r.Retired} {
		if n := len(list); n > 0 {
			id, _ := strconv.ParseInt(list[n-1].Header.Period.ID, 36, 64) // beat.begin made it
			newest = max(newest, id)
		}
	}
	return newest
}

// retire keeps what a rendition has fetchable, for twice that long: a player may have
// a list of that length, and the list may be that old.
func (p *publication) retire(r *Rendition, keep time.Duration) {
	p.former.add(r, p.changed.Add(2*keep))
}

// begin lets an encoder go on no earlier than where the line ends.
func (p *publication) begin(now time.Time) time.Time {
	for _, w := range p.writers {
		w.absence.late = lateness{} // another encoder may interleave otherwise
	}
	if end := p.stream.Window().End(); end.After(now) {
		return end
	}
	return now
}

// put writes one sample of a publisher that is on air. The renditions that it leaves
// behind are filled up to where its own is, but for their patience. It changes s.
func (p *publication) put(c *Contribution, s *remux.Sample) error {
	if s.Track >= len(c.feeds) {
		return nil // nobody told of tracks
	}
	f := &c.feeds[s.Track]
	w := f.writer
	if w == nil {
		if w = p.hears(c, s.Track); w == nil {
			return nil
		}
		f.writer = w
	}
	if f.told > 0 {
		if !s.Sync || w.shown(s) < f.from {
			return nil
		}
		if w.shown(s) < f.told {
			w.preroll = newPreroll(s, w.ticks(f.told))
		}
		f.told = 0
	}
	w.preroll.fit(s)
	if f.fresh {
		if !w.goesOnWith(s) {
			p.belated(w, s) // or it would stay so
			return nil
		}
		f.fresh = false
		w.goesOver(s)
	}
	if p.beat.period.Start < 0 {
		p.beat.period.Start = w.periodStart(s)
	}
	p.arrived(w, s)
	inTime, err := w.back(s)
	if err != nil {
		return err
	}
	if err := p.pace(w, inTime); err != nil {
		return err
	}
	if !inTime {
		if c.OnLate != nil {
			c.OnLate()
		}
	} else if err := w.write(s); err != nil {
		return err
	}
	p.publish()
	return nil
}

// closeSegments ends the open segment of every rendition. Those whose samples stay away are
// filled up to what is furthest, but no further than until, ns.
func (p *publication) closeSegments(until int64) {
	for _, w := range p.writers {
		if w.absence.away && p.beat.head > 0 {
			_ = w.fillTo(min(p.beat.head, until))
		}
	}
	_ = p.even(until)
	for _, w := range p.writers {
		w.settleLast()
		if w.open != nil {
			// Only a header that can't be written fails, and it was written.
			_ = w.closeSegment()
		}
	}
}

// publish shows what changed to the viewers, in one step for all renditions.
// It costs the same however long the window is.
func (p *publication) publish() {
	change := p.change
	if change == changeNone {
		return
	}
	p.change = changeNone
	if change >= changePart {
		p.fit()
	}
	if change >= changeList {
		p.changed = p.now()
	}
	if change == changeSegment {
		p.turned()
		p.foresee()
	}
	w := p.snapshot()
	if change == changeGrowth { // for those alone who read parts while they grow
		w.shared = p.stream.Window().shared
	}
	p.stream.publish(w)
}

func (p *publication) snapshot() *Window {
	w := newWindow(p.stream.name)
	w.TargetDuration, w.PartTarget, w.Grain = p.beat.target, p.beat.grid.target, p.beat.grid.target
	if p.leader != nil {
		w.Late = p.leader.late
	}
	if p.set.FrameFragments && p.leader != nil {
		w.Grain = p.leader.duration(int64(p.leader.newest.lasts))
	}
	w.LeftOut, w.Captions = p.leftOut, p.captions
	w.Changed, w.Extent, w.Former = p.changed, p.retention.extent, p.former.renditions(p.changed)
	w.Renditions = w.pair[:]
	if len(p.writers) > len(w.pair) {
		w.Renditions = make([]Rendition, len(p.writers))
	}
	w.Renditions = w.Renditions[:len(p.writers)]
	for i, from := range p.writers {
		from.snapshot(&w.Renditions[i])
	}
	p.begun = p.begun || w.Playable()
	w.begun = p.begun
	return w
}

// rest shows that nothing is in production, and that somebody may come back.
func (p *publication) rest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = p.now()
	p.foresee()
	w := p.snapshot()
	w.State = Waiting
	p.stream.publish(w)
}

// end is the end of the stream. What was announced and never came is waited for
// no longer.
func (p *publication) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = p.now()
	w := p.snapshot()
	w.State = Ended
	w.Renditions = slices.DeleteFunc(w.Renditions, func(r Rendition) bool { return len(r.Segments) == 0 })
	p.stream.publish(w)
}
