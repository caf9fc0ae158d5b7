package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// takeoverSilence is how long a publisher must have been silent for another
// one to take its stream over: its connection is dead, and it has come by a
// new one. Whoever publishes is heard many times a second.
const takeoverSilence = 2 * time.Second

// gate lets publishers in and connects the rooms that their tags go through.
type gate struct {
	catalog  *packager.Catalog
	networks []netip.Prefix // that may publish
	now      func() time.Time
	log      zerolog.Logger

	mu       sync.Mutex
	sessions map[packager.StreamName]*session
}

// session is a publisher that was let in.
type session struct {
	ingest.Sink
	peer ingest.Peer
	over chan struct{} // closed when the stream is free again
	end  func()
}

// Close is part of ingest.Sink.
func (s *session) Close(cause error) {
	s.Sink.Close(cause)
	s.end()
}

// Publish is ingest's question.
func (g *gate) Publish(ctx context.Context, r ingest.Request) (ingest.Sink, error) {
	if !g.allowed(r.Remote.Addr()) {
		return nil, fmt.Errorf("%w from %v: rtmp.publish_from in the configuration says who is", ingest.ErrDenied, r.Remote.Addr())
	}
	name, err := packager.ParseStreamName(r.App, r.Name)
	if err != nil {
		return nil, err
	}
	publication, err := g.catalog.Publish(name)
	if errors.Is(err, packager.ErrBusy) && g.takeover(ctx, name) {
		publication, err = g.catalog.Publish(name)
	}
	if errors.Is(err, packager.ErrBusy) {
		return nil, ingest.ErrBusy
	}
	if err != nil {
		return nil, err
	}
	log := g.log.With().Str("room", "remux").Stringer("stream", name).Logger()
	note := func(what string) { log.Info().Str("what", what).Msg("dropped") }
	return g.enter(name, r.Peer, remux.New(publication, g.now, note)), nil
}

func (g *gate) enter(name packager.StreamName, peer ingest.Peer, sink ingest.Sink) *session {
	s := &session{Sink: sink, peer: peer, over: make(chan struct{})}
	s.end = func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.sessions[name] == s {
			delete(g.sessions, name)
		}
		close(s.over)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sessions == nil {
		g.sessions = make(map[packager.StreamName]*session)
	}
	g.sessions[name] = s
	return s
}

var errTakenOver = errors.New("the encoder has come by another connection")

// takeover waits until the publisher of a stream shows that it is alive (false)
// or has been silent for long enough, and ends it then.
func (g *gate) takeover(ctx context.Context, name packager.StreamName) bool {
	g.mu.Lock()
	s := g.sessions[name]
	g.mu.Unlock()
	if s == nil {
		return true // it has just gone
	}
	began := g.now()
	heard := s.peer.Heard()
	look := time.NewTicker(takeoverSilence / 20)
	defer look.Stop()
	for g.now().Sub(heard) < takeoverSilence && g.now().Sub(began) < takeoverSilence {
		select {
		case <-s.over:
			return true
		case <-ctx.Done():
			return false
		case <-look.C:
		}
		if s.peer.Heard().After(heard) {
			return false
		}
	}
	s.peer.Hang(errTakenOver)
	select {
	case <-s.over:
		return true
	case <-ctx.Done():
		return false
	}
}

func (g *gate) allowed(a netip.Addr) bool {
	a = a.WithZone("")
	for _, n := range g.networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
