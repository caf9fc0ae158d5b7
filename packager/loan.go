package packager

import (
	"io"
	"sync"
	"time"
)

// Loan is what one reader was given of a stream's bytes and has not done with.
// The Windows that had them may be gone: then he is who keeps them in memory.
type Loan struct {
	stream *Stream
	body   Body
	from   int64  // bytes of the body that the reader doesn't want
	pieces Memory // what is in memory and not done with: guarded by stream.loans.mu
}

// loans are those of a stream.
type loans struct {
	mu  sync.Mutex
	out map[*Loan]struct{}
}

// Lend notes that a reader holds a body of the stream from that byte on, until the Loan
// is returned. It takes ownership of a Memory, not of what is in its pieces.
func (s *Stream) Lend(b Body, from int64) *Loan {
	l := &Loan{stream: s, body: b, from: from}
	l.pieces, _ = b.(Memory) // what is elsewhere keeps nothing in memory
	for len(l.pieces) > 0 && l.from >= int64(len(l.pieces[0])) {
		l.from -= int64(len(l.pieces[0]))
		l.pieces = l.pieces[1:]
	}
	s.loans.mu.Lock()
	defer s.loans.mu.Unlock()
	if s.loans.out == nil {
		s.loans.out = make(map[*Loan]struct{})
	}
	s.loans.out[l] = struct{}{}
	return l
}

// WriteTo writes what was lent. A piece that is written is held no longer.
func (l *Loan) WriteTo(w io.Writer) (n int64, err error) {
	if _, ok := l.body.(Memory); !ok {
		return io.Copy(w, io.NewSectionReader(l.body, l.from, l.body.Size()-l.from))
	}
	for skip := l.from; len(l.pieces) > 0; skip = 0 {
		k, err := w.Write(l.pieces[0][skip:])
		n += int64(k)
		if err != nil {
			return n, err
		}
		l.done()
	}
	return n, nil
}

// done tells that the first piece is held no longer.
func (l *Loan) done() {
	l.stream.loans.mu.Lock()
	defer l.stream.loans.mu.Unlock()
	l.pieces[0] = nil
	l.pieces = l.pieces[1:]
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
		for _, body := range l.pieces {
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
