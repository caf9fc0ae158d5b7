package readers

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluice-live/sluice/ingest"
)

// source is ingest's Source: a Drawing, or what is passed on, for as long as its reader may stay.
type source struct {
	ingest.Source
	readers *Readers
	who     *reader
	until   time.Time
	via     []string // by which servers a stream comes that is here; nil where the reader is no relay
}

// errOtherWay is for relays: they must look anew whether they would play in a circle.
var errOtherWay = errors.New("the stream comes by other servers than before")

// More is part of ingest.Source.
func (s *source) More(ctx context.Context) error {
	if err := s.Source.More(ctx); err != nil {
		return err
	}
	if s.readers.Now().After(s.until) {
		return errUntil
	}
	if s.via != nil && !slices.Equal(s.via, s.readers.via(s.who.stream)) {
		return errOtherWay
	}
	return nil
}

// Via is part of ingest.Relayed.
func (s *source) Via() []string {
	if p, ok := s.Source.(*passed); ok {
		return p.via
	}
	return s.via
}

// Close is part of ingest.Source.
func (s *source) Close() {
	s.Source.Close()
	s.readers.leaves(s.who)
	s.readers.count.Add(-1)
}
