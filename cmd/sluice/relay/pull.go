package relay

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

const (
	// unwanted is how long a stream that is fetched on demand goes on for nobody.
	unwanted = 30 * time.Second

	// free is how often it is looked whether a name is free that somebody else pushes.
	free = time.Second
)

// pull is one stream on its way from another server.
type pull struct {
	*line
	Pull
	stream packager.StreamName // that the name is of

	wanted atomic.Int64  // when somebody asked for it last, ns since 1970 by the machine's clock
	wake   chan struct{} // somebody has just asked

	kept *passage // waits for the next connection, for a moment; nil: none does

	ripe chan struct{} // it may be had by now, as somebody asks who has come by no other server

	mu   sync.Mutex
	asks []ask // of late; the one of all who have come by no other server is the first
}

func (r *Relay) newPull(p Pull) *line {
	l := &line{account: r.account(metrics.Pull, p.Name.String(), 1, p.From)}
	l.shown.OnDemand = p.OnDemand
	one := &pull{line: l, Pull: p, stream: r.Gate.StreamOf(p.Name), wake: make(chan struct{}, 1), ripe: make(chan struct{}, 1), asks: make([]ask, 1)}
	l.run, l.pull = one.run, one
	return l
}

// noteWanted makes the table of those on demand anew. r.mu is held.
func (r *Relay) noteWanted() {
	table := make(map[packager.StreamName][]*pull)
	for _, l := range r.lines {
		if l.pull != nil && l.pull.OnDemand {
			table[l.pull.stream] = append(table[l.pull.stream], l.pull)
		}
	}
	if len(table) == 0 {
		table = nil
	}
	r.wanted.Store(&table)
}

// Want tells that somebody asks for a stream, who has come by other servers, the nearest
// first. It tells whether the stream is fetched for that. For any other it does nothing.
func (r *Relay) Want(stream packager.StreamName, via []string) bool {
	table := r.wanted.Load()
	if table == nil || len(*table) == 0 {
		return false
	}
	all := (*table)[stream]
	for _, p := range all {
		p.want(via, time.Now())
	}
	return len(all) > 0
}

// ask is that somebody wants a stream who has come by other servers, as he says.
type ask struct {
	via []string
	at  time.Time
}

func (p *pull) want(via []string, now time.Time) {
	p.mu.Lock()
	before := p.all(now)
	i := slices.IndexFunc(p.asks, func(a ask) bool { return slices.Equal(a.via, via) })
	const most = 64
	switch {
	case i >= 0:
		p.asks[i].at = now
	case len(p.asks) < most:
		p.asks = append(p.asks, ask{via, now})
	default: // some of so many lie
		p.asks[0].at = now
	}
	ripe := len(before) > 0 && len(p.all(now)) < len(before)
	p.mu.Unlock()
	p.wanted.Store(now.UnixNano())
	if ripe {
		signal(p.ripe)
	}
	signal(p.wake)
}

func signal(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// askers are this server, and those by which all have come who want the stream. One by which only
// some have come is left out: it isn't in a circle with the others, and what they get is not for somebody
// else to prevent, who may say what he likes.
func (p *pull) askers() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.relay.Plays != nil && p.relay.Plays(p.stream) {
		return []string{p.relay.ID}
	}
	return append([]string{p.relay.ID}, p.all(time.Now())...)
}

// all are the servers by which all have come who asked of late. p.mu is held.
func (p *pull) all(now time.Time) (all []string) {
	old := func(a ask) bool { return now.Sub(a.at) > unwanted }
	if !old(p.asks[0]) {
		return nil
	}
	p.asks = append(p.asks[:1], slices.DeleteFunc(p.asks[1:], old)...)
	for i, a := range p.asks[1:] {
		if i == 0 {
			all = slices.Clone(a.via)
		}
		all = slices.DeleteFunc(all, func(id string) bool { return !slices.Contains(a.via, id) })
	}
	return all
}

// isWanted tells whether the stream is to be fetched now.
func (p *pull) isWanted() bool {
	return !p.OnDemand || time.Since(time.Unix(0, p.wanted.Load())) < unwanted ||
		p.relay.Plays != nil && p.relay.Plays(p.stream)
}

// run fetches the stream, whenever it is wanted, until the context ends.
func (p *pull) run(ctx context.Context) {
	defer p.become(idle)
	defer p.forgo(ctx)
	var b backoff
	for p.due(ctx) {
		p.become(connecting)
		began := time.Now()
		err := p.once(ctx)
		switch {
		case ctx.Err() != nil:
			if p.now().State == live {
				p.ends("pull ended")
			}
			return
		case errors.Is(err, errUnwanted):
			p.ends("pull ended: nobody wants it")
			b = backoff{}
			continue
		}
		lasted := time.Since(began)
		wait := b.wait(lasted)
		if p.kept.open() && lasted >= steady { // the sooner it is back, the less is missed
			wait, b = wait/10, backoff{}
		}
		p.fails(err, lasted, wait)
		if !p.rest(ctx, wait) {
			return
		}
	}
}

// rest waits until the next try is due, and returns false when the context ended first.
func (p *pull) rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.ripe:
	case <-ctx.Done():
		return false
	}
	return true
}

// keep lets a passage wait for the next connection, for that long.
func (p *pull) keep(to *passage, why error, d time.Duration) {
	p.kept = to
	to.keep(why, d)
}

// letGo returns the passage that is kept, and keeps it no longer.
func (p *pull) letGo() *passage {
	to := p.kept
	p.kept = nil
	return to
}

// forgo ends a passage that is kept when the pull ends.
func (p *pull) forgo(ctx context.Context) {
	to := p.letGo()
	switch cause := context.Cause(ctx); {
	case to == nil:
	case errors.Is(cause, errOther): // viewers wait for that
		to.close(cause)
	default:
		to.close(nil)
	}
}

// due returns when the stream is wanted and its name is free; false when the context
// ended first.
func (p *pull) due(ctx context.Context) bool {
	for {
		wait := time.Hour
		if p.isWanted() {
			if p.kept.open() || p.relay.Gate.Free(p.Name) {
				return ctx.Err() == nil
			}
			wait = free
		}
		p.become(idle)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-p.wake:
			if wait == free && !sleep(ctx, free) { // whoever asks is not to make it look more often
				timer.Stop()
				return false
			}
		case <-ctx.Done():
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

var (
	errUnwanted = errors.New("nobody wants the stream")
	errEnded    = errors.New("the server has ended the stream")
	errNothing  = errors.New("the server says that the stream plays, and sends no sound and no picture")
	errOther    = errors.New("the configuration says another URL")
)
