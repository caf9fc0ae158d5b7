package gate

import (
	"maps"

	"github.com/sluice-live/sluice/cmd/sluice/memory"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/packager"
)

// lives is where streams were in their lives when somebody looked last.
type lives map[packager.StreamName]life

type life struct {
	state packager.State
	ready bool // it can be watched
}

// see takes where a stream is now, and tells what has become of it.
func (all *lives) see(w *packager.Window, tell func(admin.Event)) {
	if *all == nil {
		*all = make(lives)
	}
	before, known := (*all)[w.Stream]
	now := life{w.State, w.State != packager.Ended && w.StillPlayable()}
	(*all)[w.Stream] = now
	is := func(k admin.Kind) { tell(admin.Event{Kind: k, Stream: w.Stream.String()}) }
	switch {
	case !known && now.state != packager.Live, before.state == now.state:
	case now.state == packager.Waiting:
		is(admin.Lost)
	case now.state == packager.Ended:
		is(admin.Ended)
	case before.state == packager.Waiting:
		is(admin.Back)
	}
	if now.ready && !before.ready {
		is(admin.Ready)
	}
}

// forget forgets streams that are no more.
func (g *Gate) forget(claims []memory.Claim) {
	if len(g.lives) == len(claims) {
		return
	}
	known := make(map[packager.StreamName]bool, len(claims))
	for _, c := range claims {
		known[c.Stream.Window().Stream] = true
	}
	there := func(name packager.StreamName) bool { return known[name] }
	maps.DeleteFunc(g.lives, func(name packager.StreamName, _ life) bool { return !there(name) })
	g.ailments.forget(there)
}
