package gate

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// publisher is who was let in to push one name, until he goes.
type publisher struct {
	ingest.Sink
	away atomic.Pointer[error] // why it is sent away: each tag asks, so it lies beside the Sink
	pushed
	contribution *packager.Contribution
	peer         ingest.Peer
	remote       netip.AddrPort
	software     string
	via          []string      // the servers that it has come by; under Gate.mu
	since        time.Time     // by the clock of all rooms
	number       int64         // counts those who were let in
	asked        atomic.Bool   // to come by another connection
	moves        atomic.Bool   // it understands that
	over         chan struct{} // closed when its place is free again
	lock         atomic.Pointer[remux.Lock]
	left         func(cause error) // what is to be done when all is over

	backed bool // somebody has stood by beside it, or it has stood by itself; under Gate.mu
}

// held is what a publisher holds in memory that no Window has: messages that are not
// complete, frames that wait to be placed, and samples that stand by.
func (s *publisher) held() int {
	n := s.peer.Held() + s.contribution.Held()
	if r, ok := s.Sink.(interface{ Held() int }); ok {
		n += r.Held()
	}
	return n
}

// WriteTag is part of ingest.Sink.
func (s *publisher) WriteTag(tag flv.Tag) error {
	if why := s.away.Load(); why != nil {
		return *why
	}
	return s.Sink.WriteTag(tag)
}

// Close is part of ingest.Sink.
func (s *publisher) Close(cause error) {
	s.Sink.Close(cause)
	s.left(cause)
}

// staysYet tells whether it is about to come by another connection, and has not left this one.
func (s *publisher) staysYet() bool {
	select {
	case <-s.over:
		return false
	default:
		return s.moves.Load() && s.peer.Silent() < movedSilence
	}
}

// locked notes how the timestamps of its encoder lie to those of the others.
func (s *publisher) locked(l remux.Lock, log zerolog.Logger) {
	s.lock.Store(&l)
	e := log.Info()
	if l.Why != "" {
		e = log.Warn().Str("what", l.Why)
	}
	e.Stringer("lock", l.State).Stringer("difference", l.Difference).Msg("timestamps")
}
