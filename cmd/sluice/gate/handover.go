package gate

import (
	"context"
	"errors"
	"slices"
	"time"

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

// movingTime is how long encoders get that move, when another one of their stream has moved:
// those that send one program in several qualities leave at the same keyframe, give or take
// what a network does. Longer would only hold up the one that has come.
const movingTime = time.Second

// Yield lets go of a stream whose encoder has come to another process, to push a name. That
// the old connection of the encoder is dead, or left, must show first, as ever:
// packager.ErrBusy. Others who publish the stream are sent after it: those that move by
// themselves have movingTime for it.
func (g *Gate) Yield(ctx context.Context, stream, name packager.StreamName) error {
	p, err := g.parse(name.String())
	if err != nil || p.stream != stream {
		return errors.Join(err, errors.New("the name isn't pushed to that stream"))
	}
	if len(g.named(p)) >= g.places() && !g.takeover(ctx, p) {
		return packager.ErrBusy
	}
	all := g.crew(stream)
	g.letMove(ctx, all)
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

// letMove waits until those have left who understand that they are to come by another
// connection, for movingTime at most.
func (g *Gate) letMove(ctx context.Context, all []*publisher) {
	ctx, cancel := context.WithTimeout(ctx, movingTime)
	defer cancel()
	look := time.NewTicker(movedSilence / 4)
	defer look.Stop()
	for slices.ContainsFunc(all, (*publisher).staysYet) {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// Move ends all publications, as if their encoders had been lost: they come back to
// another process.
func (g *Gate) Move() { hang(g.everybody()) }

func hang(all []*publisher) {
	for _, s := range all {
		s.peer.Hang(errMoved)
	}
}
