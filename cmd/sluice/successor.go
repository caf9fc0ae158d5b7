package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/cmd/sluice/gate"
	"github.com/sluice-live/sluice/cmd/sluice/hooks"
	"github.com/sluice-live/sluice/cmd/sluice/upgrade"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/packager"
)

// lastAnswers is how long requests by HTTP/3 get when another process takes over: its
// socket can be only one's.
const lastAnswers = 2 * time.Second

// upgrading is what a process knows of the one that comes behind it, and of the one before.
type upgrading struct {
	before *upgrade.Neighbour                // nil: there was none
	other  atomic.Pointer[upgrade.Neighbour] // who is asked for streams that are not here; or nil

	claims  sync.Map       // stream → *sync.Mutex: one at a time
	serving sync.WaitGroup // of the other process
	all     sync.WaitGroup // upgrades that go on

	mu      sync.Mutex
	behind  *upgrade.Successor // that has been started, until it is gone
	ready   chan struct{}      // closed when it can serve
	resting chan struct{}      // closed when it may
	failure string             // why it can't
	stop    context.CancelFunc // of run

	starting atomic.Bool // a new process
}

// errUpgrading and errStarting are for who asks while another process is there already.
var (
	errUpgrading = errors.New("another process of this server is there yet: it ends when its last stream does")
	errStarting  = errors.New("a new process is being started already")
)

// upgrade starts the program again, as it is on disk now, and lets it serve in the place of
// this process. What goes wrong is logged: this one serves on.
func (a *app) upgrade(ctx context.Context) {
	log := a.log.With().Str("room", "upgrade").Logger()
	err := a.startSuccessor(ctx)
	if err != nil {
		log.Error().Err(err).Msg("the upgrade failed: this process serves on")
		return
	}
	log.Warn().Int("pid", a.up.behind.PID).Int("live", a.live()).Msg("the new process serves: this one keeps its streams until their encoders go there, or end")
	a.feed.Tell(admin.Event{Kind: admin.Drained, Text: "a new process of this server lets publishers in"})
	a.leaveWhenDone(ctx)
}

func (a *app) startSuccessor(ctx context.Context) error {
	u := &a.up
	if !u.starting.CompareAndSwap(false, true) {
		return errStarting
	}
	defer u.starting.Store(false)
	if u.other.Load() != nil {
		return errUpgrading
	}
	if os.Getpid() == 1 {
		return errors.New("this is process 1 of a container, which ends with it: start another container instead")
	}
	path, err := upgrade.Program()
	if err != nil {
		return err
	}
	behind, err := upgrade.Start(path, a.ports.Sockets())
	if err != nil {
		return err
	}
	u.mu.Lock()
	u.behind, u.failure = behind, ""
	u.ready, u.resting = make(chan struct{}), make(chan struct{})
	u.mu.Unlock()
	n := upgrade.NewNeighbour(behind.Wire)
	u.serving.Go(func() { n.Serve(successor{a}, a.http.Handler(), a.log) })
	if err := behind.Await(ctx, u.ready, u.why); err != nil {
		return err
	}
	a.manager.Successor(behind.PID)
	a.gate.Drain("")
	if a.relay != nil { // what is sent on ends with its stream
		_, pushes := relaysOf(a.relayed(a.cfg))
		a.relay.Set(nil, pushes)
	}
	u.other.Store(n)
	last, cancel := context.WithTimeout(ctx, lastAnswers)
	a.ports.Rest(last)
	cancel()
	close(u.resting)
	return nil
}

// why is what a new process has told of its failure.
func (u *upgrading) why() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.failure
}

// leaveWhenDone ends this process when nothing is left that it is needed for. Where the new
// one is gone before that, this one serves again.
func (a *app) leaveWhenDone(ctx context.Context) {
	u := &a.up
	most := time.NewTimer(a.cfg.RTMP.UpgradeTime)
	defer most.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-u.behind.Gone():
			if ctx.Err() != nil {
				return
			}
			u.other.Store(nil)
			a.gate.Undrain()
			a.gate.ResumeAll()
			if err := a.ports.GoOn(); err != nil {
				a.log.Error().Err(err).Str("room", "upgrade").Msg("this process can't serve by HTTP/3 again: viewers come by TCP")
			}
			if a.relay != nil {
				a.replaceRelays(a.relayed(a.cfg))
			}
			a.manager.Again()
			a.log.Error().Str("room", "upgrade").Msg("the new process is gone: this one serves again")
			return
		case <-most.C:
			a.log.Warn().Str("room", "upgrade").Int("publishers", a.gate.Publishing()).Msg("rtmp.upgrade_time is over: encoders are sent to the new process")
			a.gate.Move()
		case <-tick.C:
			a.offer(ctx)
			if a.gate.Publishing() == 0 && a.catalog.Quiet() {
				a.log.Info().Str("room", "upgrade").Msg("this process has no stream left, and ends")
				u.stop()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// offer has the new process take the streams that rest here.
func (a *app) offer(ctx context.Context) {
	n := a.up.other.Load()
	for _, s := range a.catalog.Streams() {
		if w := s.Window(); n != nil && w.State != packager.Live {
			name := w.Stream.String()
			if err := n.Offer(ctx, upgrade.Claim{Stream: name, Pushed: name}); err != nil {
				a.log.Debug().Err(err).Str("room", "upgrade").Str("stream", name).Msg("a stream that rests isn't taken yet")
			}
		}
	}
}

// successor is what the new process asks of this one.
type successor struct{ app *app }

var _ upgrade.House = successor{}

func (s successor) Inheritance() upgrade.Inheritance {
	return upgrade.Inheritance{Secret: s.app.rules.secret, Clock: s.app.clock.now().Sub(time.Now().Round(0))}
}

func (s successor) Ready() {
	u := &s.app.up
	u.mu.Lock()
	ready, resting, behind := u.ready, u.resting, u.behind
	select {
	case <-ready:
	default:
		close(ready)
	}
	u.mu.Unlock()
	select {
	case <-resting:
	case <-behind.Gone():
	}
}

func (s successor) Failed(why string) {
	s.app.up.mu.Lock()
	defer s.app.up.mu.Unlock()
	s.app.up.failure = why
}

func (s successor) Stop() { s.app.up.stop() }

func (s successor) HandOver(ctx context.Context, c upgrade.Claim) (func(io.Writer) error, error) {
	a := s.app
	stream, name, err := namesOf(c)
	if err != nil {
		return nil, err
	}
	if a.up.other.Load() == nil {
		return nil, errors.New("this process serves by itself")
	}
	err = a.gate.Yield(ctx, stream, name)
	if errors.Is(err, packager.ErrBusy) {
		return nil, upgrade.ErrBusy
	}
	if err != nil {
		return nil, err
	}
	return a.catalog.HandOver(stream)
}

func (s successor) Taken(c upgrade.Claim) (more []byte) {
	stream, _, err := namesOf(c)
	if err != nil {
		return nil
	}
	life := s.app.gate.Hold(stream)
	s.app.catalog.Release(stream)
	s.app.log.Info().Str("room", "upgrade").Stringer("stream", stream).Msg("the stream goes on in the new process")
	more, err = json.Marshal(heritage{life, s.app.hooks.Give(stream.String())})
	if err != nil {
		panic(err) // it is of our own types
	}
	return more
}

// heritage is what goes over with a stream, so that what happens to it is told in order: what
// was told of it, and what waits to be told.
type heritage struct {
	Life  *gate.Life
	Hooks hooks.Backlog
}

func (s successor) Play(asked []byte) (func(context.Context, io.Writer) error, error) {
	return s.app.give(asked)
}

func (successor) Offered(context.Context, upgrade.Claim) error { return errBack }

var errBack = errors.New("streams go to the new process, and not back")

// predecessor is what a process that is about to end asks of the new one: that it takes
// streams.
type predecessor struct{ app *app }

var _ upgrade.House = predecessor{}

func (predecessor) Inheritance() (none upgrade.Inheritance) { return none }
func (predecessor) Ready()                                  {}
func (predecessor) Failed(string)                           {}
func (predecessor) Stop()                                   {}
func (predecessor) HandOver(context.Context, upgrade.Claim) (func(io.Writer) error, error) {
	return nil, errBack
}
func (predecessor) Taken(upgrade.Claim) []byte { return nil }

func (p predecessor) Play(asked []byte) (func(context.Context, io.Writer) error, error) {
	return p.app.give(asked)
}

func (p predecessor) Offered(ctx context.Context, c upgrade.Claim) error {
	stream, pushed, err := namesOf(c)
	if err != nil {
		return err
	}
	return p.app.claim(ctx, stream, pushed)
}

func namesOf(c upgrade.Claim) (stream, pushed packager.StreamName, err error) {
	if stream, err = packager.ParseStreamName(access.SplitPath(c.Stream)); err != nil {
		return stream, pushed, err
	}
	pushed, err = packager.ParseStreamName(access.SplitPath(c.Pushed))
	return stream, pushed, err
}

// succeed lets this process, which is built, take the place of the one before it. It
// returns when it may serve.
func (a *app) succeed(ctx context.Context) error {
	n := a.up.before
	if n == nil {
		return nil
	}
	a.up.other.Store(n)
	a.up.serving.Go(func() {
		n.Serve(predecessor{a}, a.http.Handler(), a.log)
		a.up.other.Store(nil)
		a.log.Info().Str("room", "upgrade").Msg("the process before this one has ended")
	})
	if err := n.Ready(ctx); err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	return nil
}

// claim is the gate's question for a stream that isn't here.
func (a *app) claim(ctx context.Context, stream, pushed packager.StreamName) error {
	n := a.up.other.Load()
	if n == nil || n != a.up.before {
		return nil
	}
	mu, _ := a.up.claims.LoadOrStore(stream, new(sync.Mutex))
	mu.(*sync.Mutex).Lock()
	defer mu.(*sync.Mutex).Unlock()
	if _, ok := a.catalog.Lookup(stream); ok {
		return nil // somebody else was first
	}
	a.gate.Hold(stream)
	more, err := n.Claim(ctx, stream.String(), pushed.String(), func(r io.Reader) error { return a.catalog.Adopt(stream, r) })
	var from heritage
	if err == nil && len(more) > 0 { // a process of an older version says nothing
		err = json.Unmarshal(more, &from)
	}
	a.hooks.Take(stream.String(), from.Hooks)
	a.gate.Resume(stream, from.Life)
	switch {
	case errors.Is(err, upgrade.ErrBusy):
		return packager.ErrBusy
	case err != nil && a.up.other.Load() == nil:
		return nil // it is gone, and the stream with it
	case err != nil:
		a.log.Error().Err(err).Str("room", "upgrade").Stringer("stream", stream).Msg("a stream could not be taken over")
		return err
	}
	return nil
}
