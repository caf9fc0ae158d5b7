package readers

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// source is ingest's Source: a Drawing, for as long as its reader may stay.
type source struct {
	Drawing
	readers *Readers
	who     *reader
	until   time.Time
	via     []string // by which servers the stream comes; nil where the reader is no relay
}

// errOtherWay is for relays: they must look anew whether they would play in a circle.
var errOtherWay = errors.New("the stream comes by other servers than before")

// More is part of ingest.Source.
func (s *source) More(ctx context.Context) error {
	if err := s.Drawing.More(ctx); err != nil {
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
func (s *source) Via() []string { return s.via }

// Receive is part of ingest.Source.
func (s *source) Receive(kind flv.Kind, on bool) { s.Reader.Receive(kind, on) }

// Close is part of ingest.Source.
func (s *source) Close() {
	s.Drawing.Close()
	s.readers.leaves(s.who)
	s.readers.count.Add(-1)
}
