package hooks

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/httpserve/admin"
)

const (
	atOnce    = 8         // requests to one receiver, of as many streams
	giveUp    = time.Hour // behind an event; nobody cares for it any more
	firstWait = time.Second
	longest   = time.Minute // between two attempts
	// mostBad is how often an event is told that the receiver can't take, so that it doesn't
	// hold up for long what comes behind it: some receivers say so while they are set up anew.
	mostBad = 7
	// dropsSaid is how often the log says that events were dropped, at most.
	dropsSaid = 10 * time.Second
)

// receiver is one who is told. What waits for it is its own: one that is dead costs
// nobody else anything.
type receiver struct {
	hooks *Hooks
	url   string
	shown string // without what may be secret
	log   zerolog.Logger
	wake  chan struct{} // something has changed for run

	ctx    context.Context // of its requests
	cancel context.CancelFunc

	mu      sync.Mutex
	secrets []Secret
	queues  queues
	flying  int  // requests
	ending  bool // run returns when nothing waits
	gone    bool // it has said that it wants to hear nothing more
	stop    *time.Timer

	delivered, failed, dropped uint64
	trouble                    string    // what the last attempt met with; "" where all was well
	failing                    time.Time // since when something isn't heard; zero: all is
	heard                      time.Time // when it was told something last
	unsaid                     uint64    // of dropped, that the log doesn't have yet
	said                       time.Time
}

func newReceiver(h *Hooks, address string) *receiver {
	r := &receiver{hooks: h, url: address, shown: hostOf(address), wake: make(chan struct{}, 1), queues: newQueues()}
	r.log = h.log.With().Str("url", r.shown).Logger()
	r.ctx, r.cancel = newRun()
	return r
}

// hostOf is a URL without user, path and query.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "" // can't be: the configuration was checked
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// renew takes what a configuration says of it. One that was gone is told again.
func (r *receiver) renew(secrets []Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets, r.gone = secrets, false
}

// put adds what has happened to what waits. Where that is too much already, something
// older is dropped.
func (r *receiver) put(e admin.Event) {
	r.mu.Lock()
	if r.gone {
		r.drop(1)
	} else {
		r.drop(r.queues.put(e, time.Now()))
	}
	r.mu.Unlock()
	r.again()
}

// miss takes note of events that were forgotten before they were handed out.
func (r *receiver) miss(n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(int(n))
}

// drop counts what is never delivered. r.mu is held.
func (r *receiver) drop(n int) {
	if n == 0 {
		return
	}
	r.dropped += uint64(n)
	r.unsaid += uint64(n)
	r.hooks.metrics.HookDropped(n)
	if !r.gone && time.Since(r.said) >= dropsSaid {
		r.sayDropped()
	}
}

func (r *receiver) sayDropped() {
	if r.unsaid > 0 {
		r.log.Warn().Uint64("count", r.unsaid).Uint64("in_all", r.dropped).Msg("events dropped: the webhook is never told of them")
		r.said, r.unsaid = time.Now(), 0
	}
}

func (r *receiver) again() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// finish lets it end when nothing waits, or when that time is over. What waits for
// another attempt is tried at once.
func (r *receiver) finish(within time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ending = true
	r.queues.hurry()
	r.stop = time.AfterFunc(within, r.cancel)
	r.again()
}

// leave ends it now.
func (r *receiver) leave() { r.cancel() }

// run sends what waits, until it is ended.
func (r *receiver) run() {
	var under sync.WaitGroup
	for {
		d, wait, more := r.next()
		if !more {
			break
		}
		if d == nil {
			r.sleep(wait)
			continue
		}
		under.Go(func() { r.done(d, d.send(r.ctx)) })
	}
	under.Wait()
	r.over()
}

func (r *receiver) sleep(longest time.Duration) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-r.wake:
	case <-timer.C:
	case <-r.ctx.Done():
	}
}

// next is what to send now, or how long there is nothing to send. more is false when
// it is over.
func (r *receiver) next() (d *delivery, wait time.Duration, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil || r.ending && r.queues.held == 0 {
		return nil, 0, false
	}
	if r.flying == atOnce {
		return nil, time.Hour, true // one of them wakes us
	}
	q, wait := r.queues.next(time.Now())
	if q == nil {
		return nil, wait, true
	}
	q.flying = true
	r.flying++
	return &delivery{to: r, queue: q, event: q.events[0], dropped: r.dropped, secrets: r.secrets}, 0, true
}

// done takes what came of a delivery.
func (r *receiver) done(d *delivery, a answer) {
	defer r.again()
	r.mu.Lock()
	defer r.mu.Unlock()
	now, q := time.Now(), d.queue
	r.flying--
	q.flying = false
	if q.given && len(q.events) == 0 { // another process tells it again, by the same id
		return
	}
	r.hooks.metrics.HookAttempt(a.err == nil)
	if a.err == nil {
		r.delivered++
		r.heard = r.hooks.now()
		r.queues.pop(q, now)
		if !r.gone {
			r.well(a.note)
		}
		return
	}
	r.failed++
	begins := r.failing.IsZero()
	if begins {
		r.failing = r.hooks.now()
	}
	if a.gone || r.gone {
		r.leaveAlone(d)
		return
	}
	if begins {
		r.log.Warn().Err(a.err).Str("event", d.id()).Msg("the webhook can't be told: it is tried again, further and further apart")
	}
	r.trouble = a.err.Error()
	wait := max(min(firstWait<<min(q.tries, 10), longest), a.later)
	if r.ending {
		wait = firstWait
	}
	r.queues.fail(q, now.Add(wait))
	switch {
	case a.bad && q.tries >= mostBad: // it takes others
		r.queues.pop(q, now)
		r.drop(1)
	case r.hooks.now().Sub(d.event.At) > giveUp:
		r.queues.pop(q, now.Add(wait))
		r.drop(1)
	}
}

// leaveAlone drops all that waits, as the receiver has said, to this delivery or to one beside
// it, that it wants to hear nothing more.
func (r *receiver) leaveAlone(d *delivery) {
	if !r.gone {
		r.sayDropped()
		r.log.Warn().Str("event", d.id()).Msg("the webhook answered 410 (Gone): it is told nothing more until the configuration is read again")
		r.trouble = "it answered 410 (Gone): it is told nothing more until the configuration is read again"
	}
	r.gone = true
	r.queues.pop(d.queue, time.Now())
	r.drop(1 + r.queues.clear())
}

// well takes note that something was heard. note is what is odd nevertheless.
func (r *receiver) well(note string) {
	if r.queues.failed > 0 {
		return // others of its streams aren't heard
	}
	if !r.failing.IsZero() {
		r.sayDropped()
		r.log.Info().Stringer("after", r.hooks.now().Sub(r.failing).Round(time.Millisecond)).Msg("the webhook is told again")
	}
	if note != "" && note != r.trouble {
		r.log.Warn().Str("what", note).Msg("a webhook's answer")
	}
	r.failing, r.trouble = time.Time{}, note
}

// over drops what can't be told any more.
func (r *receiver) over() {
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stop != nil {
		r.stop.Stop()
	}
	r.drop(r.queues.held)
	r.queues = newQueues()
	r.sayDropped()
}

// state is how it goes.
func (r *receiver) state() admin.Hook {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := admin.Hook{
		URL: r.shown, Waiting: r.queues.held, Delivered: r.delivered, Failed: r.failed, Dropped: r.dropped, Trouble: r.trouble,
	}
	if !r.failing.IsZero() {
		s.FailingSince = new(r.failing.UTC())
	}
	if !r.heard.IsZero() {
		s.LastDelivered = new(r.heard.UTC())
	}
	return s
}
