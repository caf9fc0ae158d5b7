package hooks

import (
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
)

// Backlog is what waits of a stream, oldest first, by the URLs of the receivers: it goes to
// another process with the stream, so that what happens there is told behind it.
type Backlog map[string][]Waiting

// Waiting is an event that is told by that id, whoever tells it.
type Waiting struct {
	ID    string
	Event admin.Event
}

// lastAnswer is how long an event that is under way has for its answer, before it is given
// to another process, too: encoders wait meanwhile.
const lastAnswer = 300 * time.Millisecond

// Give takes out what waits of a stream.
func (h *Hooks) Give(stream string) Backlog {
	if h == nil {
		return nil
	}
	h.hear()
	h.mu.Lock()
	receivers := h.receivers
	h.mu.Unlock()
	all, until := make(Backlog), time.Now().Add(lastAnswer)
	for _, r := range receivers {
		if some := r.give(stream, until); len(some) > 0 {
			all[r.url] = some
		}
	}
	return all
}

func (r *receiver) give(stream string, until time.Time) (some []Waiting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queues.of[stream]
	if q == nil {
		return nil
	}
	q.given = true
	for q.flying && time.Now().Before(until) {
		r.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		r.mu.Lock()
	}
	for len(q.events) > 0 {
		some = append(some, Waiting{r.hooks.idOf(q.events[0]), q.events[0].Event})
		r.queues.take(q, 0)
	}
	return some
}

// Take puts what waits of a stream in front of what has happened to it here.
func (h *Hooks) Take(stream string, all Backlog) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.receivers {
		if some := all[r.url]; len(some) > 0 {
			r.inherit(stream, some[:min(len(some), mostOfStream)])
		}
	}
}

func (r *receiver) inherit(stream string, some []Waiting) {
	var events []waiting
	for _, w := range some {
		events = append(events, waiting{w.Event, w.ID})
	}
	r.mu.Lock()
	r.queues.insert(stream, events, time.Now())
	r.mu.Unlock()
	r.again()
}
