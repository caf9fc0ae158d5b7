package gate

import (
	"context"
	"errors"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/packager"
)

// errMoved is for publishers whose stream goes on in another process of this server.
var errMoved = errors.New("the stream goes on in the new process of this server")

// claim has a stream that is not here brought from another process.
func (g *Gate) claim(ctx context.Context, p pushed) error {
	if g.Claim == nil {
		return nil
	}
	if _, ok := g.Catalog.Lookup(p.stream); ok {
		return nil
	}
	err := g.Claim(ctx, p.stream, p.name)
	if errors.Is(err, packager.ErrBusy) {
		return ingest.ErrBusy
	}
	return err
}

// Yield lets go of a stream whose encoder has come to another process, to push a name. That
// the old connection of the encoder is dead, or left, must show first, as ever:
// packager.ErrBusy. Others who publish the stream are sent after it.
func (g *Gate) Yield(ctx context.Context, stream, name packager.StreamName) error {
	p, err := g.parse(name.String())
	if err != nil || p.stream != stream {
		return errors.Join(err, errors.New("the name isn't pushed to that stream"))
	}
	if len(g.named(p)) >= g.places() && !g.takeover(ctx, p) {
		return packager.ErrBusy
	}
	all := g.crew(stream)
	hang(all)
	for _, s := range all {
		select {
		case <-s.over:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Move ends all publications, as if their encoders had been lost: they come back to
// another process.
func (g *Gate) Move() { hang(g.everybody()) }

func hang(all []*publisher) {
	for _, s := range all {
		s.peer.Hang(errMoved)
	}
}
