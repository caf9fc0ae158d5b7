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
// to end at it. It did not begin there: neither before it, with what the segment
// before had beyond its last part, nor behind, at its own limit. The numbers
// would part.
func (p *Publication) newBoundary(w *writer) int64 {
	return max(w.boundary, max(w.cutAt, nanoseconds(w.open.DTS, w.header.Track.Timescale))+int64(p.cutter.grid.target/2))
}

// met lets a follower that ended its segment at its own limit, ahead of the leader,
// take the boundary at which the leader has come to it for the one that it ended at.
func (p *Publication) met(w *writer) {
	const near = int64(time.Second)
	if !w.ahead {
		return
	}
	for _, at := range p.starts {
		if at > w.boundary {
			if at-w.cutAt < near {
				w.boundary = max(w.boundary, at)
			}
			w.ahead = false
			return
		}
	}
}
