// Package hooks tells web services what happens: each event as a signed POST, in order
// for each stream, again and again until it is heard, over queues that are bounded.
//
//	admin.Feed ──▶ Hooks ──▶ receiver ── a queue for each stream ──▶ POST
//	                  └────▶ receiver ── …
//
// It listens as all others do (server-sent events): an event has one definition.
package hooks

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/ingest/outbound"
)

const (
	// answerTime is how long a receiver has for an answer.
	answerTime = 10 * time.Second
	// endTime is how long is left for what waits when the server stops.
	endTime = 5 * time.Second
)

// Settings say who is told, and what.
type Settings struct {
	URLs    []string
	Secrets []Secret // each signs; none: nothing is signed
	Events  []admin.Kind
}

// Hooks tells receivers what happens. It may be asked and set by many at once. Nil Hooks
// tell nobody.
type Hooks struct {
	feed    *admin.Feed
	now     func() time.Time // the feed's clock
	log     zerolog.Logger
	metrics *metrics.Set
	client  *http.Client
	process string // begins all ids: those of two processes differ

	hearing sync.Mutex
	heard   uint64 // the last event that is handed out, or came before us

	mu        sync.Mutex
	settings  Settings
	receivers []*receiver
	on        bool // they run
	running   sync.WaitGroup
}

// New returns Hooks that listen to feed from now on. Nothing is sent before Run.
func New(feed *admin.Feed, now func() time.Time, log zerolog.Logger, m *metrics.Set) *Hooks {
	h := &Hooks{
		feed: feed, now: now, log: log, metrics: m, client: outbound.NewClient(answerTime),
		process: strings.ToLower(rand.Text()[:10]), heard: feed.Newest(),
	}
	m.HooksWaiting(h.waiting)
	return h
}

// Set replaces who is told, and what. Whoever stays keeps what waits for it.
func (h *Hooks) Set(s Settings) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settings = s
	before := h.receivers
	h.receivers = nil
	for _, url := range s.URLs {
		i := slices.IndexFunc(before, func(r *receiver) bool { return r.url == url })
		r := (*receiver)(nil)
		if i >= 0 {
			r = before[i]
			before = slices.Delete(before, i, i+1)
		} else {
			r = newReceiver(h, url)
			h.start(r)
		}
		r.renew(s.Secrets)
		h.receivers = append(h.receivers, r)
	}
	for _, r := range before {
		r.leave()
	}
}

// start lets a receiver run. h.mu is held.
func (h *Hooks) start(r *receiver) {
	if h.on {
		h.running.Go(r.run)
	}
}

// Run hands out what happens until the feed is closed, and what waits by then for a
// few seconds more.
func (h *Hooks) Run() {
	if h == nil {
		return
	}
	h.mu.Lock()
	h.on = true
	for _, r := range h.receivers {
		h.start(r)
	}
	h.mu.Unlock()
	for h.listen() {
	}
	h.mu.Lock()
	h.on = false
	for _, r := range h.receivers {
		r.finish(endTime)
	}
	h.mu.Unlock()
	h.running.Wait()
	h.client.CloseIdleConnections()
}

// listen hands out what has happened, and waits for more. It returns false when no
// more will come.
func (h *Hooks) listen() bool {
	more, open := h.hear()
	if open {
		<-more
	}
	return open
}

// hear hands out what has happened.
func (h *Hooks) hear() (more <-chan struct{}, open bool) {
	h.hearing.Lock()
	defer h.hearing.Unlock()
	events, more, open := h.feed.Behind(h.heard)
	h.mu.Lock()
	receivers, kinds := h.receivers, h.settings.Events
	h.mu.Unlock()
	for _, e := range events {
		for _, r := range receivers {
			switch {
			case e.Kind == admin.Missed:
				r.miss(e.ID - h.heard)
			case slices.Contains(kinds, e.Kind):
				r.put(e)
			}
		}
		h.heard = e.ID
	}
	return more, open
}

// State is how it goes with each of those who are told.
func (h *Hooks) State() []admin.Hook {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	all := []admin.Hook{}
	for _, r := range h.receivers {
		all = append(all, r.state())
	}
	return all
}

func (h *Hooks) waiting() (n int) {
	for _, r := range h.State() {
		n += r.Waiting
	}
	return n
}

// newRun is how long a receiver runs: until it is cancelled.
func newRun() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }
