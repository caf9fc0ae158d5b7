package packager

import (
	"slices"

	"github.com/sluice-live/sluice/remux"
)

// The leader ends its segments at keyframes, and the other renditions keep to
// those boundaries as their samples allow: segments of one number are of one time.

// join lets a rendition whose first sample comes late begin with the number
// that the leader's segment of that time has.
func (p *Publication) join(w *writer, s remux.Sample) {
	if w.open != nil || len(w.closed) > w.listed {
		return
	}
	at := nanoseconds(s.DTS, w.header.Track.Timescale)
	n := p.leader.msn
	for i := len(p.starts) - 1; i >= 0 && p.starts[i] > at; i-- {
		n--
	}
	w.msn = max(w.msn, n)
}

// leadTo notes a boundary that the followers will keep to.
func (p *Publication) leadTo(s remux.Sample) {
	const keep = 64 // followers are never that far behind
	p.starts = append(p.starts, nanoseconds(s.DTS+int64(s.CompositionOffset), p.leader.header.Track.Timescale))
	p.starts = p.starts[max(0, len(p.starts)-keep):]
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
	return max(w.boundary, nanoseconds(w.open.DTS, w.header.Track.Timescale)+int64(p.cutter.grid.target/2))
}
