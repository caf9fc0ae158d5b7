package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// gate lets publishers in and connects the rooms that their tags go through.
type gate struct {
	catalog  *packager.Catalog
	networks []netip.Prefix // that may publish
	log      zerolog.Logger
}

// Publish is ingest's question.
func (g *gate) Publish(_ context.Context, r ingest.Request) (ingest.Sink, error) {
	if !g.allowed(r.Remote.Addr()) {
		return nil, fmt.Errorf("%w from %v: rtmp.publish_from in the configuration says who is", ingest.ErrDenied, r.Remote.Addr())
	}
	name, err := packager.ParseStreamName(r.App, r.Name)
	if err != nil {
		return nil, err
	}
	publication, err := g.catalog.Publish(name)
	if errors.Is(err, packager.ErrBusy) {
		return nil, ingest.ErrBusy
	}
	if err != nil {
		return nil, err
	}
	log := g.log.With().Str("room", "remux").Stringer("stream", name).Logger()
	return remux.New(publication, time.Now, func(what string) { log.Info().Str("what", what).Msg("dropped") }), nil
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
