package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// pace is how often something may begin: so many times at once, and once in each
// refill in the long run. The zero pace sets no limit.
type pace struct {
	burst  int
	refill time.Duration
}

// namePaces are for publications of one name. Each takes numbers of the stream and
// costs its viewers a new period; packager counts on the first.
var namePaces = []pace{{3, time.Second}, {20, 5 * time.Second}}

// longestTurn is how long a publisher may have to wait. One who would have to
// wait longer is refused.
const longestTurn = 5 * time.Second

// turns lets publications of one name, and of one address, begin in turn: who
// comes too soon waits a little. It goes by a clock that nobody sets.
type turns struct {
	perAddress []pace
	exempt     address.Networks // of these, each connection counts alone

	mu    sync.Mutex
	names map[packager.StreamName]turn
	homes map[netip.AddrPort]turn
}

// configure lets addresses publish as often as they may connect: some encoders
// publish again on an open connection.
func (t *turns) configure(c config.RTMP) (err error) {
	if c.ConnectionRate > 0 {
		t.perAddress = []pace{{c.ConnectionBurst, time.Second / time.Duration(c.ConnectionRate)}}
	}
	t.exempt, err = address.ParseNetworks(c.UnlimitedFrom)
	return err
}

// turn is what is known of one of them: for each of its paces, when all would be
// as if it had never begun.
type turn [2]time.Time

// wait is how long it must yet wait.
func (t turn) wait(paces []pace, now time.Time) (d time.Duration) {
	for i, p := range paces {
		d = max(d, t[i].Add(-time.Duration(p.burst-1)*p.refill).Sub(now))
	}
	return d
}

// begun returns the turn behind another beginning.
func (t turn) begun(paces []pace, now time.Time) turn {
	for i, p := range paces {
		if t[i].Before(now) {
			t[i] = now
		}
		t[i] = t[i].Add(p.refill)
	}
	return t
}

func (t turn) over(now time.Time) bool { return t[0].Before(now) && t[1].Before(now) }

// maxTurns bounds how many names and addresses are known.
const maxTurns = 1 << 14

// note keeps a turn. Those are forgotten for whom nothing follows from it any
// more; a flood of that many is not to be held by counting for each.
func note[K comparable](all *map[K]turn, key K, t turn, now time.Time) {
	if len(*all) >= maxTurns {
		for k, old := range *all {
			if old.over(now) {
				delete(*all, k)
			}
		}
	}
	if *all == nil || len(*all) >= maxTurns {
		*all = make(map[K]turn)
	}
	(*all)[key] = t
}

// visit takes the next turn of an address, and returns how long it must wait
// for that; it isn't taken where that is too long.
func (t *turns) visit(from netip.AddrPort, now time.Time) time.Duration {
	if t.perAddress == nil || !from.IsValid() {
		return 0
	}
	if !t.exempt.Contain(from.Addr()) {
		from = netip.AddrPortFrom(address.Home(from.Addr()).Addr(), 0)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := t.homes[from].wait(t.perAddress, now)
	if wait <= longestTurn {
		note(&t.homes, from, t.homes[from].begun(t.perAddress, now), now)
	}
	return wait
}

// wait is how long a name must wait for its turn.
func (t *turns) wait(name packager.StreamName, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names[name].wait(namePaces, now)
}

// begin notes that a publication of a name has begun.
func (t *turns) begin(name packager.StreamName, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	note(&t.names, name, t.names[name].begun(namePaces, now), now)
}

// turn waits until a publisher may go on that has to wait that long.
func (g *gate) turn(ctx context.Context, who string, wait, longest time.Duration) error {
	if wait > longest {
		return g.limited(&metrics.Exceeded{Limit: metrics.PublicationRate, Text: fmt.Sprintf("%s begins to publish too often: again in %v", who, wait.Round(time.Second))})
	}
	if wait <= 0 {
		return nil
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// turnOf waits for the turn of a name, and until the clock has come to where its
// line ends: a session can't begin before that, and many short ones would get
// ahead of the clock by a frame each. latest bounds how long.
func (g *gate) turnOf(ctx context.Context, name packager.StreamName, latest time.Time) error {
	if !g.free(name) {
		return nil // it has a publisher: that is told at once
	}
	longest := time.Until(latest)
	wait := g.turns.wait(name, time.Now())
	if stream, ok := g.catalog.Lookup(name); ok && wait <= longest {
		wait = max(wait, min(stream.Window().End().Sub(g.now()), longest))
	}
	return g.turn(ctx, name.String(), wait, longest)
}

// free tells whether a name has no publisher, as far as its window shows that.
func (g *gate) free(name packager.StreamName) bool {
	stream, ok := g.catalog.Lookup(name)
	if !ok {
		return true
	}
	return stream.Window().State != packager.Live
}
