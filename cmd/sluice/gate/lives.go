package gate

import (
	"maps"
	"sync"

	"github.com/sluice-live/sluice/cmd/sluice/memory"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/packager"
)

// lives is where streams were in their lives when somebody looked last.
type lives struct {
	mu   sync.Mutex
	of   map[packager.StreamName]Life
	held map[packager.StreamName]bool // they go from one process to another
}

// Life is where a stream is in its life, as was told last.
type Life struct {
	State packager.State
	Ready bool // it can be watched
}

// Hold lets nothing be told of what becomes of a stream, as it goes from one process to
// another, and returns what was told last; nil where nothing was.
func (g *Gate) Hold(stream packager.StreamName) *Life {
	g.lives.mu.Lock()
	defer g.lives.mu.Unlock()
	if g.lives.held == nil {
		g.lives.held = make(map[packager.StreamName]bool)
	}
	g.lives.held[stream] = true
	if l, ok := g.lives.of[stream]; ok {
		return &l
	}
	return nil
}

// Resume lets it be told again, behind what another process has told; nil where that has
// told nothing.
func (g *Gate) Resume(stream packager.StreamName, told *Life) {
	g.lives.mu.Lock()
	defer g.lives.mu.Unlock()
	delete(g.lives.held, stream)
	if told != nil {
		g.lives.set(stream, *told)
	}
}

// ResumeAll is for streams that went to a process that is gone.
func (g *Gate) ResumeAll() {
	g.lives.mu.Lock()
	defer g.lives.mu.Unlock()
	g.lives.held = nil
}

func (all *lives) set(stream packager.StreamName, l Life) {
	if all.of == nil {
		all.of = make(map[packager.StreamName]Life)
	}
	all.of[stream] = l
}

// see takes where a stream is now, and tells what has become of it.
func (all *lives) see(w *packager.Window, tell func(admin.Event)) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.held[w.Stream] {
		return
	}
	before, known := all.of[w.Stream]
	now := Life{w.State, w.State != packager.Ended && w.StillPlayable()}
	all.set(w.Stream, now)
	is := func(k admin.Kind) { tell(admin.Event{Kind: k, Stream: w.Stream.String()}) }
	switch {
	case !known && now.State != packager.Live, before.State == now.State:
	case now.State == packager.Waiting:
		is(admin.Lost)
	case now.State == packager.Ended:
		is(admin.Ended)
	case before.State == packager.Waiting:
		is(admin.Back)
	}
	if now.Ready && !before.Ready {
		is(admin.Ready)
	}
}

// forget forgets streams that are no more.
func (g *Gate) forget(claims []memory.Claim) {
	g.lives.mu.Lock()
	defer g.lives.mu.Unlock()
	if len(g.lives.of) == len(claims) {
		return
	}
	known := make(map[packager.StreamName]bool, len(claims))
	for _, c := range claims {
		known[c.Stream.Window().Stream] = true
	}
	there := func(name packager.StreamName) bool {
		if known[name] {
			return true
		}
		_, ok := g.Catalog.Lookup(name) // it has come meanwhile, and so has its life
		return ok
	}
	maps.DeleteFunc(g.lives.of, func(name packager.StreamName, _ Life) bool { return !there(name) })
	g.ailments.forget(there)
}
