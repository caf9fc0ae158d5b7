package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/packager"
)

// ErrCircle is for a stream that has come by this server already.
var ErrCircle = errors.New("this server has sent the stream out itself: two relays play in a circle")

// Bring lets in what this server fetches from another one, to push a name: nobody is
// asked whether it may, all else is as for an encoder.
func (g *Gate) Bring(ctx context.Context, name packager.StreamName, r ingest.Request) (ingest.Sink, error) {
	p, err := g.parse(name.String())
	if err != nil {
		return nil, err
	}
	if err := g.barred(p); err != nil {
		return nil, fmt.Errorf("%v: %w", p.name, err)
	}
	return g.enter(ctx, p, r, "pull", func(zerolog.Logger) {})
}

// Follow notes that what Bring has let in comes by other servers now.
func (g *Gate) Follow(sink ingest.Sink, via []string) error {
	if slices.Contains(via, g.ID) {
		return ErrCircle
	}
	if s, ok := sink.(*publisher); ok {
		g.mu.Lock()
		defer g.mu.Unlock()
		s.via = via
		g.route(s.stream)
	}
	return nil
}

// Shared tells whether several push a name, one of whom stands by.
func (g *Gate) Shared(name packager.StreamName) bool {
	p, err := g.parse(name.String())
	return err == nil && len(g.named(p)) > 1
}

// StreamOf is the stream that a pushed name is of.
func (g *Gate) StreamOf(name packager.StreamName) packager.StreamName {
	if p, err := g.parse(name.String()); err == nil {
		return p.stream
	}
	return name
}

// Free tells whether somebody could push a name now, as far as others who do so go.
func (g *Gate) Free(name packager.StreamName) bool {
	p, err := g.parse(name.String())
	return err == nil && len(g.named(p)) < g.places()
}

// Via are the servers that a stream has come by, this one first: as long as it is known,
// also behind the end of who has published it.
func (g *Gate) Via(stream packager.StreamName) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	const most = 64 // more of them would be no relay, but a rumour
	all := append([]string{g.ID}, g.via[stream]...)
	return all[:min(len(all), most)]
}

// route notes by which servers a stream comes. g.mu is held.
func (g *Gate) route(stream packager.StreamName) {
	var all []string
	for _, s := range g.publishers[stream] {
		for _, id := range s.via {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	if g.via == nil {
		g.via = make(map[packager.StreamName][]string)
	}
	if g.via[stream] = all; len(all) == 0 {
		delete(g.via, stream)
	}
}

// forgetRoutes forgets those of streams that are forgotten.
func (g *Gate) forgetRoutes() {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.via, func(name packager.StreamName, _ []string) bool {
		_, ok := g.Catalog.Lookup(name)
		return !ok
	})
}
