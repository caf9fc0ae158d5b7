package readers

import (
	"context"
	"io"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/tags"
)

// source is ingest's Source: the Windows of one stream, drawn for one reader.
type source struct {
	readers *Readers
	stream  *packager.Stream
	reader  *tags.Reader
	until   time.Time // he may stay

	seen *packager.Window // newest that the reader has looked at
	loan *packager.Loan   // what of it he hasn't got yet; nil where that is nothing
	out  int              // bytes since he was looked at
}

// lateness is how many bytes a reader gets before it is looked whether he is late.
const lateness = 64 << 10

// Next is part of ingest.Source.
func (s *source) Next() (flv.Drawn, bool) {
	if s.out > lateness {
		if s.out = 0; s.reader.Late(s.stream.Window()) {
			s.look(s.stream.Window())
		}
	}
	d, ok := s.reader.Next()
	s.out += len(d.Body)
	return d, ok
}

// More is part of ingest.Source.
func (s *source) More(ctx context.Context) error {
	s.giveBack()
	if s.reader.Ended() {
		return io.EOF
	}
	w, err := s.stream.WaitGrown(ctx, func(w *packager.Window) bool { return w != s.seen })
	if err != nil {
		return err
	}
	if s.readers.Now().After(s.until) {
		return errUntil
	}
	s.look(w)
	return nil
}

func (s *source) look(w *packager.Window) {
	s.giveBack()
	if s.seen, s.out = w, 0; s.reader.Look(w) {
		s.readers.Metrics.Skipped()
	}
	if held := s.reader.Held(); len(held) > 0 {
		s.loan = s.stream.Lend(held, 0)
	}
}

func (s *source) giveBack() {
	if s.loan != nil {
		s.loan.Return()
		s.loan = nil
	}
}

// Receive is part of ingest.Source.
func (s *source) Receive(kind flv.Kind, on bool) { s.reader.Receive(kind, on) }

// Close is part of ingest.Source.
func (s *source) Close() {
	s.giveBack()
	s.readers.count.Add(-1)
}
