package access

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/sluice-live/sluice/config/address"
)

const (
	turnsAtOnce = 32              // of all
	turnsShare  = turnsAtOnce / 4 // of one address
	turnsLine   = 64              // of one address wait; who comes behind them is turned away
)

var errCrowd = errors.New("too many ask from this address")

// turns shares out what only so many can do at a time, so that no address keeps
// others waiting: one has no more than its share, and whose turn it is goes
// round by addresses, not by who came first.
//
//	192.0.2.1  ▪▪▪▪▪▪▪▪ │ x x x x x x x      its share is taken: it waits
//	192.0.2.2  ▪        │                    goes on at once
//
// The zero value is ready. It may be used by many at once.
type turns struct {
	mu    sync.Mutex
	taken int
	homes map[netip.Prefix]*home // of those who have a turn, or wait for one
	round []*home                // with somebody in line; the first is asked first
}

// home is what counts as one address.
type home struct {
	who   netip.Prefix
	taken int
	line  []chan struct{} // each is closed when its turn has come
}

// take waits for a turn until ctx ends. Who has got one gives it back by done.
func (t *turns) take(ctx context.Context, from netip.Addr) (done func(), err error) {
	t.mu.Lock()
	h := t.home(address.Home(from))
	if len(h.line) >= turnsLine {
		t.mu.Unlock()
		return nil, errCrowd
	}
	turn := make(chan struct{})
	if h.line = append(h.line, turn); len(h.line) == 1 {
		t.round = append(t.round, h)
	}
	t.call()
	t.mu.Unlock()
	select {
	case <-turn:
		return func() { t.give(h) }, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(h.line, turn); i >= 0 {
		h.line = slices.Delete(h.line, i, i+1)
		t.leave(h)
		return nil, ctx.Err()
	}
	return func() { t.give(h) }, nil // it has come just now
}

func (t *turns) home(who netip.Prefix) *home {
	h := t.homes[who]
	if h == nil {
		h = &home{who: who}
		if t.homes == nil {
			t.homes = make(map[netip.Prefix]*home)
		}
		t.homes[who] = h
	}
	return h
}

func (t *turns) give(h *home) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken--
	h.taken--
	t.call()
	t.leave(h)
}

// call lets those go on who can. It is called under mu.
func (t *turns) call() {
	for t.taken < turnsAtOnce {
		i := slices.IndexFunc(t.round, func(h *home) bool { return h.taken < turnsShare })
		if i < 0 {
			return
		}
		h := t.round[i]
		t.taken++
		h.taken++
		close(h.line[0])
		h.line = h.line[1:]
		t.round = slices.Delete(t.round, i, i+1)
		if len(h.line) > 0 {
			t.round = append(t.round, h)
		}
	}
}

// leave forgets what is no longer of interest of a home. It is called under mu.
func (t *turns) leave(h *home) {
	if len(h.line) > 0 {
		return
	}
	if i := slices.Index(t.round, h); i >= 0 {
		t.round = slices.Delete(t.round, i, i+1)
	}
	if h.taken == 0 {
		delete(t.homes, h.who)
	}
}
