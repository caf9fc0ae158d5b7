package packager

import (
	"slices"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// The leader ends its segments at keyframes, and the other renditions keep to
// those boundaries as their samples allow: segments of one number are of one time.

// join lets a rendition that begins late, at that time in ns, begin with the number
// that the leader's segment of that time has.
func (p *Publication) join(w *writer, at int64) {
	if w == p.leader || w.open != nil || len(w.closed) > w.listed {
		return
	}
	n := p.leader.msn
	for i := len(p.starts) - 1; i >= 0 && p.starts[i] > at; i-- {
		n--
	}
	w.msn = max(w.msn, n)
}

// leadTo notes the boundary in front of a sample of the leader. Where the others
// had one while the leader was away, it is that one.
func (p *Publication) leadTo(s remux.Sample) {
	if owed, ok := p.owed(); ok {
		p.leader.boundary = owed
		return
	}
	at := s.DTS + int64(s.CompositionOffset)
	if s.OpenGOP { // pictures come that are shown before it
		at = p.leader.open.PTS + p.leader.open.Duration
	}
	p.lead(nanoseconds(at, p.leader.header.Track.Timescale))
	p.leader.boundary = p.starts[len(p.starts)-1]
}

// lead notes a boundary that all renditions will keep to, ns.
func (p *Publication) lead(at int64) {
	const keep = 64 // nobody is ever that far behind
	p.starts = append(p.starts, at)
	p.starts = p.starts[max(0, len(p.starts)-keep):]
}

// owed is the first boundary that the leader has yet to end a segment at: it was
// away when the others came there.
func (p *Publication) owed() (at int64, ok bool) {
	for _, at := range p.starts {
		if at > p.leader.boundary {
			return at, true
		}
	}
	return 0, false
}

// beyond tells whether a follower's sample lies at or behind a boundary of the
// leader that the follower's segment has not ended at.
func (p *Publication) beyond(w *writer, s remux.Sample) bool {
	return p.boundary(w, s) > p.newBoundary(w)
}

// boundary is the last of the leader's that a follower's sample lies at or
// behind, 0 if there is none. Half a sample decides on which side it lies.
func (p *Publication) boundary(w *writer, s remux.Sample) int64 {
	at := nanoseconds(s.DTS+int64(s.Duration)/2, w.header.Track.Timescale)
	for _, start := range slices.Backward(p.starts) {
		if at >= start {
			return start
		}
	}
	return 0
}

// newBoundary is where a boundary must lie behind for a follower's open segment
// to end at it: the last one that ended a segment of a lower number. Where the
// follower came to its own limit a moment before, or had what was in front of the
// boundary carried behind it, its segment has ended already; the numbers would part.
func (p *Publication) newBoundary(w *writer) int64 {
	ended := len(p.starts) // how many the leader has ended a segment at
	for ended > 0 && p.starts[ended-1] > p.leader.boundary {
		ended--
	}
	// The one of index i ends segment p.leader.msn-ended+i.
	if last := min(int(w.msn-p.leader.msn)+ended, len(p.starts)) - 1; last >= 0 {
		return p.starts[last]
	}
	return 0
}

// even lets the open segments of all renditions have the same number, where a
// period ends. Who is behind had no sample since a boundary of the others.
func (p *Publication) even() error {
	if p.period == nil || p.period.Start < 0 {
		return nil // there is nothing of it
	}
	newest := func(w *writer) MSN {
		if w.open == nil {
			return w.msn - 1
		}
		return w.msn
	}
	most, end := MSN(0), int64(0)
	for _, w := range p.writers {
		if w.open != nil || len(w.closed) > w.listed {
			most, end = max(most, newest(w)), max(end, p.place(w))
		}
	}
	for _, w := range p.writers {
		if w.open == nil && len(w.closed) == w.listed {
			continue // it is in no list, and begins with the number that the others have then
		}
		if newest(w) < most && len(w.header.Track.Silence) > 0 {
			if err := p.fillSilence(w, end); err != nil {
				return err
			}
		}
		for newest(w) < most {
			if err := p.beginGap(w); err != nil {
				return err
			}
			if w.open != nil {
				if err := p.closeSegment(w); err != nil {
					return err
				}
			}
			if err := p.gapPart(w, max(end, p.place(w)+int64(20*time.Millisecond))); err != nil {
				return err
			}
		}
	}
	return nil
}
