package gate

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/packager"
)

// peer is a connection that can be heard, or not.
type peer struct {
	heard atomic.Pointer[time.Time]
	hung  chan error
}

func newPeer() *peer {
	p := &peer{hung: make(chan error, 1)}
	p.speak()
	return p
}

func (p *peer) speak()                { now := time.Now(); p.heard.Store(&now) }
func (p *peer) Silent() time.Duration { return time.Since(*p.heard.Load()) }
func (p *peer) Held() int             { return 0 }
func (p *peer) Hang(cause error)      { p.hung <- cause }
func (p *peer) Reconnect(string) bool { return false }

func newGate() *Gate {
	return &Gate{
		Catalog: packager.NewCatalog(packager.Settings{
			Segments: 4, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second,
			PartDuration: 500 * time.Millisecond, Grace: 30 * time.Second, Linger: time.Minute,
		}, time.Now),
		Access: always(access.Settings{From: address.Networks{netip.MustParsePrefix("192.0.2.0/24")}, Now: time.Now}),
		Now:    time.Now,
		Log:    zerolog.Nop(),
	}
}

// always has publishers judged by the same settings.
func always(s access.Settings) func() *access.Publishers {
	p := access.NewPublishers(s)
	return func() *access.Publishers { return p }
}

func (g *Gate) ask(p *peer) (ingest.Sink, error) {
	_, s, err := g.Publish(context.Background(), ingest.Request{
		App: "live", Name: "cam1", Remote: netip.MustParseAddrPort("192.0.2.1:1"), Peer: p,
	})
	return s, err
}

// F4: an encoder comes back while its old connection is half open.
func TestF4Takeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, old := newGate(), newPeer()
		first, err := g.ask(old)
		if err != nil {
			t.Fatal(err)
		}
		go func() { // the old connection's goroutine
			cause := <-old.hung
			time.Sleep(time.Millisecond)
			first.Close(cause)
		}()
		time.Sleep(500 * time.Millisecond)
		began := time.Now()
		if _, err := g.ask(newPeer()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 1500*time.Millisecond || took > 1700*time.Millisecond {
			t.Errorf("taken over after %v", took)
		}
	})
}

// A publisher that is alive is never taken from.
func TestF4SecondPublisher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, old := newGate(), newPeer()
		if _, err := g.ask(old); err != nil {
			t.Fatal(err)
		}
		stop := make(chan bool)
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(40 * time.Millisecond):
					old.speak()
				}
			}
		}()
		for range 20 {
			began := time.Now()
			if _, err := g.ask(newPeer()); !errors.Is(err, ingest.ErrBusy) {
				t.Errorf("a second publisher: %v", err)
			}
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("refused after %v", took)
			}
			time.Sleep(333 * time.Millisecond)
		}
		close(stop)
		if len(old.hung) > 0 {
			t.Error("the first was hung up on")
		}
	})
}

// Whoever sets the machine's clock, back or forth, ends nobody's stream by it:
// the gate's clock and that of the connection are then apart.
func TestF4ClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, -2 * time.Second, 0, 2 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			g, old := newGate(), newPeer()
			g.Now = func() time.Time { return time.Now().Add(by) }
			first, err := g.ask(old)
			if err != nil {
				t.Fatal(err)
			}
			go func() { first.Close(<-old.hung) }()
			time.Sleep(100 * time.Millisecond)
			time.AfterFunc(50*time.Millisecond, old.speak)
			if _, err := g.ask(newPeer()); !errors.Is(err, ingest.ErrBusy) {
				t.Fatalf("%v: a second publisher, while the first is heard: %v", by, err)
			}
			began := time.Now() // the first was heard 50 ms ago
			if _, err := g.ask(newPeer()); err != nil || time.Since(began) < 1900*time.Millisecond || time.Since(began) > 2*time.Second {
				t.Errorf("%v: behind a silent one: %v after %v", by, err, time.Since(began))
			}
		})
	}
}

// One who closes in the meantime makes way at once.
func TestF4CloseWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, old := newGate(), newPeer()
		first, err := g.ask(old)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(300 * time.Millisecond)
			first.Close(nil)
		}()
		began := time.Now()
		if _, err := g.ask(newPeer()); err != nil || time.Since(began) > 400*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// Nobody takes a stream over who may not publish it: not even one that has
// been silent for long.
func TestTakeoverIsAuthenticated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, old := newGate(), newPeer()
		g.Access = always(access.Settings{
			From: address.Networks{netip.MustParsePrefix("192.0.2.0/24")}, Keys: access.Keys{"cam1": access.HashKey("k")}, Now: time.Now,
		})
		ask := func(name string, p *peer) error {
			_, _, err := g.Publish(t.Context(), ingest.Request{App: "live", Name: name, Peer: p, Remote: netip.MustParseAddrPort("192.0.2.9:1")})
			return err
		}
		if err := ask("k", old); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := ask("cam1", newPeer()); !errors.Is(err, ingest.ErrDenied) {
			t.Errorf("by its public name: %v", err)
		}
		select {
		case <-old.hung:
			t.Error("the publisher was hung up on")
		default:
		}
	})
}
