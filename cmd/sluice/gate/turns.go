package gate

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// Rate is how often something may begin: so many times at once, and once in each
// Refill in the long run. The zero Rate sets no limit.
type Rate struct {
	Burst  int
	Refill time.Duration
}

// nameRates are for publications of one name. Each takes numbers of the stream and
// costs its viewers a new period; packager counts on the first.
var nameRates = []Rate{{3, time.Second}, {20, 5 * time.Second}}

// LongestTurn is how long a publisher may have to wait. One who would have to
// wait longer is refused.
const LongestTurn = 5 * time.Second

// turns lets publications of one name, and of one address, begin in turn: who
// comes too soon waits a little. It goes by a clock that nobody sets.
type turns struct {
	perAddress []Rate
	exempt     address.Networks // of these, each connection counts alone

	mu    sync.Mutex
	names map[packager.StreamName]turn
	homes map[netip.AddrPort]turn
}

// LimitAddresses says how often one address may begin to publish: some encoders
// publish again on an open connection. Where addresses are exempt, each of their
// connections has that rate.
func (g *Gate) LimitAddresses(rate Rate, exempt address.Networks) {
	g.turns.perAddress, g.turns.exempt = nil, exempt
	if rate != (Rate{}) {
		g.turns.perAddress = []Rate{rate}
	}
}

// turn is what is known of one of them: for each of its rates, when all would be
// as if it had never begun.
type turn [2]time.Time

// wait is how long it must yet wait.
func (t turn) wait(rates []Rate, now time.Time) (d time.Duration) {
	for i, r := range rates {
		d = max(d, t[i].Add(-time.Duration(r.Burst-1)*r.Refill).Sub(now))
	}
	return d
}

// begun returns the turn behind another beginning.
func (t turn) begun(rates []Rate, now time.Time) turn {
	for i, r := range rates {
		if t[i].Before(now) {
			t[i] = now
		}
		t[i] = t[i].Add(r.Refill)
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
	if wait <= LongestTurn {
		note(&t.homes, from, t.homes[from].begun(t.perAddress, now), now)
	}
	return wait
}

// wait is how long a name must wait for its turn.
func (t *turns) wait(name packager.StreamName, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names[name].wait(nameRates, now)
}

// begin notes that a publication of a name has begun.
func (t *turns) begin(name packager.StreamName, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	note(&t.names, name, t.names[name].begun(nameRates, now), now)
}

// turn waits until a publisher may go on that has to wait that long.
func (g *Gate) turn(ctx context.Context, who string, wait, longest time.Duration) error {
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
func (g *Gate) turnOf(ctx context.Context, p pushed, latest time.Time) error {
	if !g.free(p) {
		return nil // it has a publisher: that is told at once
	}
	longest := time.Until(latest)
	wait := g.wait(p)
	if stream, ok := g.Catalog.Lookup(p.stream); ok && wait <= longest && g.idle(p.stream) {
		wait = max(wait, min(stream.Window().End().Sub(g.Now()), longest))
	}
	return g.turn(ctx, p.name.String(), wait, longest)
}

// wait is how long a name must yet wait, and its stream where it begins by that.
func (g *Gate) wait(p pushed) time.Duration {
	now := time.Now()
	wait := g.turns.wait(p.name, now)
	if g.idle(p.stream) {
		wait = max(wait, g.turns.wait(p.stream, now))
	}
	return wait
}

// free tells whether a name has a place. One who has just gone may be counted yet.
func (g *Gate) free(p pushed) bool { return g.idle(p.stream) || len(g.named(p)) < g.places() }

// idle tells whether a stream has no publisher, as far as its window shows that.
func (g *Gate) idle(name packager.StreamName) bool {
	stream, ok := g.Catalog.Lookup(name)
	if !ok {
		return true
	}
	return stream.Window().State != packager.Live
}
