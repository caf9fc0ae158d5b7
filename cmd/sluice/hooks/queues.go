package hooks

import (
	"slices"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
)

const (
	mostOfStream = 64   // events that wait for one receiver, of one stream
	mostInAll    = 4096 // of all
)

// queues are the events that wait for a receiver, by stream; those that are of none
// have one queue together. A queue that is empty is none.
type queues struct {
	of     map[string]*queue
	all    []*queue // the same, in any order
	held   int      // events
	failed int      // queues whose first event was not heard yet
}

// waiting is an event that waits.
type waiting struct {
	admin.Event
	id string // as another process called it; "": it is of this one
}

// queue is what waits of one stream.
type queue struct {
	stream string
	place  int       // in all
	events []waiting // oldest first
	flying bool      // the first is under way
	given  bool      // to another process: nothing of it is sent any more
	tries  int       // that failed, of the first
	due    time.Time // when it may be sent
}

func newQueues() queues { return queues{of: make(map[string]*queue)} }

// put adds an event, and tells how many had to go for it: the oldest of its stream, or
// of the stream that has most, as what is newer says more.
func (a *queues) put(e admin.Event, now time.Time) (dropped int) {
	q := a.of[e.Stream]
	if q == nil {
		q = &queue{stream: e.Stream, due: now, place: len(a.all)}
		a.of[e.Stream], a.all = q, append(a.all, q)
	}
	q.events = append(q.events, waiting{Event: e})
	a.held++
	switch {
	case len(q.events) > mostOfStream:
	case a.held > mostInAll:
		q = a.longest()
	default:
		return 0
	}
	a.shorten(q)
	return 1
}

// free is how many events of a queue can be dropped: not the one under way.
func (q *queue) free() int {
	if q.flying {
		return len(q.events) - 1
	}
	return len(q.events)
}

// longest is the queue that has most to drop; among such, that with the oldest event.
func (a *queues) longest() (found *queue) {
	for _, q := range a.all {
		if found == nil || q.free() > found.free() || q.free() == found.free() && q.events[0].ID < found.events[0].ID {
			found = q
		}
	}
	return found
}

// shorten takes the oldest event out that is not under way.
func (a *queues) shorten(q *queue) {
	a.take(q, len(q.events)-q.free())
}

// pop takes the first event out, which is not under way any more.
func (a *queues) pop(q *queue, now time.Time) {
	q.due = now
	a.take(q, 0)
}

// fail notes that the first event was not heard, and is to be sent again.
func (a *queues) fail(q *queue, due time.Time) {
	if q.tries == 0 {
		a.failed++
	}
	q.tries++
	q.due = due
}

func (a *queues) take(q *queue, at int) {
	if at == 0 && q.tries > 0 {
		q.tries = 0
		a.failed--
	}
	q.events = slices.Delete(q.events, at, at+1)
	a.held--
	if len(q.events) == 0 {
		delete(a.of, q.stream)
		last := len(a.all) - 1
		a.all[q.place], a.all[last].place = a.all[last], q.place
		a.all[last] = nil
		a.all = a.all[:last]
	}
}

// next is the queue whose first event has waited longest to be sent, or nil and how
// long it is until there is one.
func (a *queues) next(now time.Time) (first *queue, wait time.Duration) {
	for _, q := range a.all {
		if !q.flying && !q.given && (first == nil || q.due.Before(first.due) || q.due.Equal(first.due) && q.events[0].ID < first.events[0].ID) {
			first = q
		}
	}
	switch {
	case first == nil:
		return nil, time.Hour // put, or the end of a request, wakes who waits
	case first.due.After(now):
		return nil, first.due.Sub(now)
	}
	return first, 0
}

// clear takes out all that is not under way, and tells how many events those were.
func (a *queues) clear() (dropped int) {
	for i := len(a.all) - 1; i >= 0; i-- { // a queue that is empty is replaced by one that was behind it
		for q := a.all[i]; q.free() > 0; dropped++ {
			a.shorten(q)
		}
	}
	return dropped
}

// insert puts events in front of those of a stream, but for the one that is under way.
func (a *queues) insert(stream string, events []waiting, now time.Time) {
	q := a.of[stream]
	if q == nil {
		q = &queue{stream: stream, place: len(a.all)}
		a.of[stream], a.all = q, append(a.all, q)
	}
	at := len(q.events) - q.free()
	if at == 0 && q.tries > 0 {
		q.tries = 0
		a.failed--
	}
	if at == 0 {
		q.due = now
	}
	q.events = slices.Insert(q.events, at, events...)
	a.held += len(events)
}

// hurry lets all be sent now.
func (a *queues) hurry() {
	for _, q := range a.all {
		q.due = time.Time{}
	}
}
