package packager

import (
	"sync"
	"time"
)

// Loan is what one reader was given of a stream's bytes and has not done with.
// The Windows that had them may be gone: then he is who keeps them in memory.
type Loan struct {
	stream *Stream
	bodies [][]byte // guarded by stream.loans.mu
}

// loans are those of a stream.
type loans struct {
	mu  sync.Mutex
	out map[*Loan]struct{}
}

// Lend notes that a reader holds bodies of the stream, until the Loan is
// returned. It takes ownership of the slice, not of what is in it: an element is
// set to nil when it is done with.
func (s *Stream) Lend(bodies [][]byte) *Loan {
	l := &Loan{stream: s, bodies: bodies}
	s.loans.mu.Lock()
	defer s.loans.mu.Unlock()
	if s.loans.out == nil {
		s.loans.out = make(map[*Loan]struct{})
	}
	s.loans.out[l] = struct{}{}
	return l
}

// Done tells that the first of the bodies is held no longer.
func (l *Loan) Done() {
	l.stream.loans.mu.Lock()
	defer l.stream.loans.mu.Unlock()
	l.bodies[0] = nil
	l.bodies = l.bodies[1:]
}

// Return tells that nothing is held any more.
func (l *Loan) Return() {
	l.stream.loans.mu.Lock()
	defer l.stream.loans.mu.Unlock()
	delete(l.stream.loans.out, l)
}

// Pinned is how many bytes are in memory for readers alone: lent, and in the
// Window no longer.
func (s *Stream) Pinned() (n int) {
	s.loans.mu.Lock()
	defer s.loans.mu.Unlock()
	if len(s.loans.out) == 0 {
		return 0
	}
	// Bytes are told by where they begin: those of a part that grows are lent
	// with more of them each time.
	seen := make(map[*byte]int)
	for body := range s.Window().bodies {
		if len(body) > 0 {
			seen[&body[0]] = len(body)
		}
	}
	for l := range s.loans.out {
		for _, body := range l.bodies {
			if len(body) == 0 {
				continue
			}
			if had := seen[&body[0]]; len(body) > had {
				n += len(body) - had
				seen[&body[0]] = len(body)
			}
		}
	}
	return n
}

// bodies are the bytes that a Window holds.
func (w *Window) bodies(yield func([]byte) bool) {
	for r := range w.all {
		for _, list := range [][]*Segment{r.Retired, r.Segments} {
			for _, s := range list {
				if !yield(s.Header.Bytes) {
					return
				}
				for i := range s.Parts {
					if !yield(s.Parts[i].Bytes) {
						return
					}
				}
			}
		}
		for i := range r.Parts {
			if !yield(r.Parts[i].Bytes) {
				return
			}
		}
		if r.Header != nil && !yield(r.Header.Bytes) || !yield(r.Growing) {
			return
		}
	}
}

// Stays is how long a segment of r will be in Windows yet, at most: listed, then
// retired. nil is the one in production.
func (w *Window) Stays(r *Rendition, s *Segment) time.Duration {
	var age time.Duration
	if n := len(r.Segments); s != nil && n > 0 {
		age = max(0, time.Duration(r.Segments[n-1].end()-s.end()))
	}
	return max(0, 2*w.Extent+w.Longest()-age)
}
