package gate

import (
	"cmp"
	"slices"

	"github.com/sluice-live/sluice/cmd/sluice/memory"
	"github.com/sluice-live/sluice/packager"
)

// room tells whether there is memory for another publisher.
func (g *Gate) room(p pushed) error {
	claims, publishers := g.claims()
	joins := false
	for i, c := range claims {
		joins = joins || c.Stream.Window().Stream == p.stream && len(publishers[i]) > len(g.named(p))/g.places()
	}
	return g.limited(g.Budget.Admits(claims, p.stream, joins))
}

// claims are what all streams hold and need, and who publishes each of them.
// Streams that nobody publishes come first, then those that have been published
// for longest.
func (g *Gate) claims() (claims []memory.Claim, publishers [][]*publisher) {
	g.mu.Lock()
	defer g.mu.Unlock()
	type published struct {
		stream *packager.Stream
		by     []*publisher
		rank   int64 // of who has been there for longest
	}
	var all []published
	for _, stream := range g.Catalog.Streams() {
		p := published{stream: stream}
		for _, s := range g.publishers[stream.Window().Stream] {
			if s.away.Load() == nil { // else it is about to go
				p.by = append(p.by, s)
			}
		}
		if len(p.by) > 0 {
			p.rank = p.by[0].number
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b published) int { return cmp.Compare(a.rank, b.rank) })
	for _, p := range all {
		c := memory.Claim{}
		if len(p.by) == 0 {
			c = g.Budget.ClaimOf(p.stream)
		} else {
			c = g.Budget.ClaimOfPublished(p.stream, beside(p.by))
		}
		claims, publishers = append(claims, c), append(publishers, p.by)
	}
	return claims, publishers
}

// beside is what publishers hold beside the window.
func beside(all []*publisher) (n int64) {
	for _, s := range all {
		n += int64(s.held())
	}
	return n
}

// Patrol shares out the memory that there is, sends those away for whom there is
// not enough, and says what becomes of streams, and what is wrong with them. It is to
// be called now and then, by one goroutine.
//
// A stream is shared by those who publish it: where there is no room for it, all of
// them go, and come back as far as there is.
func (g *Gate) Patrol() {
	g.forgetRoutes()
	claims, publishers := g.claims()
	limits, away := g.Budget.Divide(claims)
	for i, c := range claims {
		w, by := c.Stream.Window(), publishers[i]
		if w.State != packager.Waiting || len(by) == 0 { // else its encoder is there, and has sent nothing to show yet
			g.lives.see(w, g.tell)
		}
		g.ailments.see(w.Stream, g.examine(w, by), g.Log, g.tell)
		switch {
		case len(by) == 0:
		case g.Budget.Exceeded(w):
			g.sendAway(by, g.Budget.TooLarge(w))
		case i >= len(claims)-away:
			g.sendAway(by, g.Budget.NoRoom(c))
		default:
			c.Stream.Allow(max(1, limits[i]-beside(by)))
		}
	}
	g.forget(claims)
	g.moveOn()
}

// sendAway ends publishers by their next tags, so that their encoders hear why. One whose
// connection is dead, and hears nothing, is hung up on (takeover).
func (g *Gate) sendAway(all []*publisher, why error) {
	for _, s := range all {
		err := g.limited(why)
		s.away.Store(&err)
	}
}
