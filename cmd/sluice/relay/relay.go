// Package relay fetches streams from other servers, and sends them on to others, by RTMP.
//
//	pull:  another server ──client.Reader──▶ gate, as from an encoder
//	push:  Windows ──readers.Drawing──▶ client.Publisher ──▶ another server
//
// Each has a goroutine of its own, and looks at nobody else: a target that is slow or gone
// costs a reader's place, and nothing else.
package relay

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// Gate lets in what is fetched, and knows by which servers streams come.
type Gate interface {
	Bring(context.Context, packager.StreamName, ingest.Request) (ingest.Sink, error)
	Follow(sink ingest.Sink, via []string) error
	Free(packager.StreamName) bool
	Shared(packager.StreamName) bool
	StreamOf(packager.StreamName) packager.StreamName
	Via(packager.StreamName) []string
}

// Relay is all pulls and pushes of this server.
type Relay struct {
	ID      string // what other relays call this server
	Catalog *packager.Catalog
	Gate    Gate
	Plays   func(packager.StreamName) bool // whether somebody plays a stream by RTMP; nil: nobody does
	Dial    client.Dialer
	Limits  Limits
	Log     zerolog.Logger
	Metrics *metrics.Set
	Now     func() time.Time // the clock of all rooms
	Tell    func(admin.Event)

	wanted atomic.Pointer[map[packager.StreamName][]*pull] // those on demand, by stream; nil: there are none

	mu     sync.Mutex
	lines  []*line
	halves [2]context.Context // of pulls and pushes, while they run
	all    sync.WaitGroup
}

// Limits bound what another server may send.
type Limits struct {
	Idle    time.Duration // longest silence
	Grace   time.Duration // how long viewers wait for a source that is lost
	Bitrate int           // bit/s; 0: any
	Chunk   chunk.Limits
}

// Pull is a stream that is fetched.
type Pull struct {
	Name     packager.StreamName // that it pushes here: a stream, or a quality of it
	From     client.Address
	OnDemand bool // while somebody wants it
}

// Push is a stream that is sent on.
type Push struct {
	Stream   packager.StreamName
	Number   int // of the targets of the stream, from 1
	To       client.Address
	Enhanced bool // it takes all codecs and tracks, whatever it says
}

// line is one pull or push that goes on.
type line struct {
	account
	key  any   // the Pull or Push
	pull *pull // nil of a push
	run  func(context.Context)
	stop context.CancelCauseFunc // nil while it doesn't run
	done chan struct{}
}

// Set puts other pulls and pushes in the place of those that there are. Those that are
// in both go on.
func (r *Relay) Set(pulls []Pull, pushes []Push) {
	r.mu.Lock()
	var next []*line
	for _, p := range pulls {
		next = append(next, r.keep(p, func() *line { return r.newPull(p) }))
	}
	for _, p := range pushes {
		key := p
		key.Number = 0 // a target is the same where another one before it is gone
		l := r.keep(key, func() *line { return r.newPush(p) })
		l.numbered(p.Number)
		next = append(next, l)
	}
	var gone []*line
	for _, l := range r.lines {
		if !slices.Contains(next, l) {
			gone = append(gone, l)
		}
	}
	r.lines = next
	r.noteWanted()
	for _, l := range gone {
		if l.stop != nil {
			l.stop(l.replacedIn(next))
		}
	}
	// What takes the place of one that is gone waits until it is.
	for _, l := range next {
		r.start(l, gone)
	}
	r.mu.Unlock()
}

// keep returns the line that there is for a Pull or a Push, or a new one. r.mu is held.
func (r *Relay) keep(key any, create func() *line) *line {
	for _, l := range r.lines {
		if l.key == key {
			return l
		}
	}
	l := create()
	l.key, l.done = key, make(chan struct{})
	return l
}

// replacedIn is why a line is gone: nil, or that the same name is fetched otherwise. Then viewers wait
// for that, and whoever wants the stream still does.
func (l *line) replacedIn(next []*line) error {
	for _, n := range next {
		if l.pull != nil && n.pull != nil && n.pull.Name == l.pull.Name {
			n.pull.wanted.Store(l.pull.wanted.Load())
			return errOther
		}
	}
	return nil
}

// start lets a line run, if it doesn't and those of its direction do. r.mu is held.
func (r *Relay) start(l *line, behind []*line) {
	half := r.halves[l.half()]
	if half == nil || l.stop != nil {
		return
	}
	ctx, stop := context.WithCancelCause(half)
	l.stop = stop
	r.all.Go(func() {
		defer close(l.done)
		defer stop(nil)
		for _, o := range behind {
			if o.stop != nil && o.shown.Stream == l.shown.Stream {
				<-o.done
			}
		}
		l.run(ctx)
	})
}

// Run lets pulls run until pulling ends, and pushes until pushing does: so that they can
// send the ends of streams on. It returns when all have ended.
func (r *Relay) Run(pulling, pushing context.Context) {
	r.mu.Lock()
	r.halves = [2]context.Context{pulling, pushing}
	for _, l := range r.lines {
		r.start(l, nil)
	}
	r.mu.Unlock()
	<-pulling.Done()
	<-pushing.Done()
	r.mu.Lock()
	r.halves = [2]context.Context{}
	r.mu.Unlock()
	r.all.Wait()
}

// List has all of them, pulls first.
func (r *Relay) List() []admin.Relay {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]admin.Relay, 0, len(r.lines))
	for _, l := range r.lines {
		all = append(all, l.now())
	}
	slices.SortStableFunc(all, func(a, b admin.Relay) int {
		return cmp.Or(cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Number, b.Number))
	})
	return all
}

// Counts is how many there are, by direction and state.
func (r *Relay) Counts() (all []metrics.Relays) {
	count := make(map[metrics.Relays]int)
	for _, d := range []metrics.Direction{metrics.Pull, metrics.Push} {
		for _, s := range states {
			count[metrics.Relays{Direction: d, State: s}] = 0
		}
	}
	for _, l := range r.List() {
		count[metrics.Relays{Direction: metrics.Direction(l.Direction), State: l.State}]++
	}
	for key, n := range count {
		key.Count = n
		all = append(all, key)
	}
	return all
}

// sleep waits, and returns false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
