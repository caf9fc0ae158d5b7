package packager

import (
	"slices"
	"time"
)

// shelf has the closed segments of a rendition, oldest first, those from index
// listed on in its list. A slice that a Window has is never written again.
type shelf struct {
	closed []*Segment
	listed int
}

// unlisted tells that nothing is in the list.
func (s *shelf) unlisted() bool { return len(s.closed) == s.listed }

// newest is the segment that was closed last, if it is in the list, else nil.
func (s *shelf) newest() *Segment {
	if s.unlisted() {
		return nil
	}
	return s.closed[len(s.closed)-1]
}

// over is where the newest media in the list is over, ns, 0 where there is none.
func (s *shelf) over() int64 {
	for _, seg := range slices.Backward(s.closed[s.listed:]) {
		if !seg.Gap() {
			return nanoseconds(seg.PTS+seg.Duration-seg.Tail, seg.Header.Track.Timescale)
		}
	}
	return 0
}

// told is where the list ends, ns, with media or a gap; 0 where nothing is in it.
func (s *shelf) told() int64 {
	if last := s.newest(); last != nil {
		return last.endPTS()
	}
	return 0
}

// add lists a segment, and lets the list have so many at most.
func (s *shelf) add(seg *Segment, most int) {
	s.closed = append(s.closed[:len(s.closed):len(s.closed)], seg) // a new slice, for the next Window
	s.listed = max(s.listed, len(s.closed)-most)
}

// extent is how long the list is.
func (s *shelf) extent() time.Duration {
	var d time.Duration
	for _, seg := range s.closed[s.listed:] {
		d += seg.duration()
	}
	return d
}

// forget drops segments that left the list. One stays fetchable after that for its
// own duration and that of the longest list that had it (RFC 8216bis, section
// 6.2.2): keep is no less than that.
func (s *shelf) forget(keep time.Duration) {
	var newer time.Duration
	for i := s.listed - 1; i >= 0; i-- {
		if newer >= keep {
			s.closed, s.listed = s.closed[i+1:], s.listed-i-1
			return
		}
		newer += s.closed[i].duration()
	}
}

// drop gives up the oldest segment, which must not be listed.
func (s *shelf) drop() { s.closed, s.listed = s.closed[1:], s.listed-1 }
