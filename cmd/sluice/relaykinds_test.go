package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// reload lets a node read another configuration.
func (h *node) reload(set func(*config.Config)) {
	h.t.Helper()
	next := h.app.relayed(h.app.cfg)
	set(&next)
	h.app.reread = func() (config.Config, error) { return next, nil }
	if err := h.app.readAgain(); err != nil {
		h.t.Fatal(err)
	}
}

// A pull whose URL is another one than before is a source that was lost and is back: viewers
// stay. One that is gone ends.
func TestPullReload(t *testing.T) {
	inNetwork(t, func(n *network) {
		a, c := n.node("a", nil, nil), n.node("c", nil, nil)
		b := n.node("b", map[string]string{"live/copy": "rtmp://a/live/cam1"}, nil)
		p, q := a.encoder(), c.encoder()
		both := func(d time.Duration) {
			done := make(chan struct{})
			go func() { defer close(done); c.publish(q, d) }()
			a.publish(p, d)
			<-done
		}
		both(8 * time.Second)
		b.is("pull live/copy live")
		viewer, err := b.play("copy", client.Tells{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.reload(func(c *config.Config) { c.Pull = map[string]string{"live/copy": "rtmp://c/live/cam1"} })
		both(8 * time.Second)
		b.is("pull live/copy live")
		select {
		case <-viewer.done:
			t.Errorf("the viewer is told that the stream has ended: %v", viewer.err)
		default:
		}
		if a, c := len(a.app.readers.List()), len(c.app.readers.List()); a != 0 || c != 1 {
			t.Errorf("%d fetch it from the one before, %d from the other", a, c)
		}
		b.reload(func(c *config.Config) { c.Pull = nil })
		both(4 * time.Second)
		b.is()
		<-viewer.done
		if s := b.state("live/copy"); viewer.err != io.EOF || s != "ended" {
			t.Errorf("a pull that is gone: the stream is %s, a viewer hears %v", s, viewer.err)
		}
		p.Close()
		q.Close()
		b.close()
		a.close()
		c.close()
	})
}

// An encoder that publishes the name of a pull is left alone, however it comes: before it, while
// the other server is asked, or while it flows. The pull takes over when the name is free.
func TestPullBesideEncoder(t *testing.T) {
	for name, after := range map[string]time.Duration{"before": -time.Second, "at the same time": 0, "while the server is asked": 300 * time.Millisecond, "while it flows": 4 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inNetwork(t, func(n *network) {
				a := n.node("a", nil, nil)
				p := a.encoder()
				sent := make(chan struct{})
				go func() { defer close(sent); a.publish(p, 100*time.Second) }()
				b := n.node("b", nil, nil)
				n.takes = time.Second
				time.Sleep(8 * time.Second)
				pull := func() {
					b.reload(func(c *config.Config) { c.Pull = map[string]string{"live/cam1": "rtmp://a/live/cam1"} })
				}
				if after >= 0 {
					pull()
					time.Sleep(after)
				}
				q, err := client.New(b.door.dial(), "live", "cam1", "rtmp://b/live")
				if err != nil && after < time.Second {
					t.Fatalf("the encoder is refused: %v", err)
				}
				if after >= time.Second {
					if err == nil || !strings.Contains(err.Error(), "has a publisher already") {
						t.Errorf("the encoder hears %v", err)
					}
					b.is("pull live/cam1 live")
				} else {
					if after < 0 {
						time.Sleep(-after)
						pull()
					}
					b.publish(q, 20*time.Second)
					if r := b.app.relay.List()[0]; r.State != "idle" || r.Failures > 1 {
						t.Errorf("beside an encoder: %+v", r)
					}
					q.Close()
					time.Sleep(10 * time.Second)
					b.is("pull live/cam1 live")
				}
				<-sent
				p.Close()
				b.close()
				a.close()
			})
		})
	}
}

// Viewers of a stream that is fetched on demand who leave at once, and come back at the moment
// when it closes: each gets the stream.
func TestPullOnDemandComesBack(t *testing.T) {
	inNetwork(t, func(n *network) {
		a := n.node("a", nil, nil)
		b := n.node("b", map[string]string{"live/copy": "rtmp://a/live/cam1#on_demand"}, nil)
		p := a.encoder()
		sent := make(chan struct{})
		stop := make(chan struct{})
		go func() {
			defer close(sent)
			for {
				select {
				case <-stop:
					return
				default:
					a.publish(p, 10*time.Second)
				}
			}
		}()
		time.Sleep(8 * time.Second)
		for i := range 16 {
			if code, body := b.get("/live/copy/index.m3u8"); code != 200 || !strings.Contains(body, "EXT-X-STREAM-INF") {
				t.Fatalf("viewer %d: %d %s", i, code, body)
			}
			code, body := b.get("/live/copy/v1.m3u8")
			if code != 200 || strings.Contains(body, "ENDLIST") {
				t.Errorf("viewer %d: %d %s", i, code, body)
			}
			time.Sleep(unwantedFor - 100*time.Millisecond + time.Duration(i)*97*time.Millisecond)
		}
		for i := range 10 { // and by RTMP
			viewer, err := b.play("copy", client.Tells{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			viewer.mu.Lock()
			if viewer.err != nil || len(viewer.got) == 0 {
				t.Errorf("reader %d: %d tags, %v", i, len(viewer.got), viewer.err)
			}
			viewer.mu.Unlock()
			viewer.hang()
			<-viewer.done
			time.Sleep(unwantedFor - 2*time.Second + time.Duration(i)*123*time.Millisecond)
		}
		time.Sleep(unwantedFor + 2*time.Second)
		b.is("pull live/copy idle")
		close(stop)
		<-sent
		p.Close()
		b.close()
		a.close()
	})
}

// talker is a server that says that a stream plays, and sends what is no sound and no picture.
type talker struct {
	plays  int
	source func() ingest.Source
}

// player adds a server to the network.
func (n *network) player(name string, h ingest.Handler) (stop func()) {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	n.add(name, l)
	s := &ingest.Server{Limits: limits(config.Default().RTMP), Handler: h, Log: zerolog.Nop(), Now: time.Now}
	ctx, cancel := context.WithCancel(n.t.Context())
	var server sync.WaitGroup
	server.Go(func() { _ = s.Serve(ctx, l) })
	return func() { cancel(); server.Wait() }
}

func (*talker) Publish(context.Context, ingest.Request) (string, ingest.Sink, error) {
	return "", nil, ingest.ErrBusy
}

func (a *talker) Play(context.Context, ingest.Request) (string, ingest.Source, error) {
	a.plays++
	return "live/x", a.source(), nil
}

type talk struct{ said time.Time }

func (s *talk) Next() (flv.Drawn, bool) {
	if time.Since(s.said) < time.Second {
		return flv.Drawn{}, false
	}
	s.said = time.Now()
	return flv.Drawn{Tag: flv.Tag{Type: flv.TagScript, Body: amf.Append(nil, "onMetaData", amf.ECMAArray{})}}, true
}

func (*talk) More(ctx context.Context) error {
	select {
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
func (*talk) Rest(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
func (*talk) Receive(flv.Kind, bool)         {}
func (*talk) Close()                         {}

// A server that only says that a stream plays is one that has none.
func TestPullOfNothing(t *testing.T) {
	for _, word := range []string{"", "#on_demand"} {
		inNetwork(t, func(n *network) {
			a := &talker{source: func() ingest.Source { return new(talk) }}
			stop := n.player("a", a)
			b := n.node("b", map[string]string{"live/copy": "rtmp://a/live/x" + word}, nil)
			b.get("/live/copy/index.m3u8")
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			switch r := b.app.relay.List()[0]; {
			case word == "" && (r.Failures < 10 || !strings.Contains(r.Why, "no sound")):
				t.Errorf("%+v", r)
			case word != "" && (r.State != "idle" || a.plays > 4):
				t.Errorf("nobody wants it, and it was tried %d times: %+v", a.plays, r)
			}
			b.close()
			stop()
		})
	}
}

// babble is a Source of sound that says nothing, as much as is taken.
type babble struct{ talk }

func (*babble) Next() (flv.Drawn, bool) {
	return flv.Drawn{Tag: flv.Tag{Type: flv.TagAudio, Body: []byte{0xAF}}}, true
}

// A server that sends messages without end, which carry nothing, is left.
func TestPullOfCrowds(t *testing.T) {
	inNetwork(t, func(n *network) {
		stop := n.player("a", &talker{source: func() ingest.Source { return new(babble) }})
		b := n.node("b", map[string]string{"live/copy": "rtmp://a/live/x"}, nil)
		time.Sleep(time.Second / 2)
		synctest.Wait()
		if r := b.app.relay.List()[0]; r.Failures != 1 || !strings.Contains(r.Why, "messages a second") {
			t.Errorf("%+v", r)
		}
		b.close()
		stop()
	})
}

// Targets that are no help: each is tried again and again, ever less often, says why, and costs
// viewers nothing.
func TestPushKinds(t *testing.T) {
	for name, c := range map[string]struct {
		set func(n *network, a *archive)
		why string
	}{
		"no such name": {func(n *network, _ *archive) {
			n.fail("b", true)
			n.why = &net.DNSError{Err: "no such host", Name: "b", IsNotFound: true}
		}, "no such host"},
		"hangs up behind 2 seconds": {func(n *network, a *archive) { n.cut = 2 * time.Second }, "hung up"},
		"hangs up at once":          {func(n *network, a *archive) { n.cut = time.Nanosecond }, ""},
		"answers nothing":           {func(n *network, a *archive) { n.deaf.Store(true) }, "no answer within 10s"},
	} {
		t.Run(name, func(t *testing.T) {
			inNetwork(t, func(n *network) {
				archive, stop := n.archive("b")
				h := n.node("a", nil, map[string][]string{"live/cam1": {"rtmp://anna:SECRETPASS@b/live/SECRETKEY?token=SECRETTOKEN"}})
				c.set(n, archive)
				p := h.encoder()
				h.publish(p, 4*time.Second)
				viewer, err := h.play("cam1", client.Tells{}, nil)
				if err != nil {
					t.Fatal(err)
				}
				h.publish(p, 3*time.Minute)
				r := h.app.relay.List()[0]
				if tries := n.dialled(); tries < 7 || tries > 30 || r.Failures < 6 || !strings.Contains(h.log.String(), c.why) {
					t.Errorf("%d tries: %+v", tries, r)
				}
				p.Close() // there is nothing to send: so nothing fails
				<-viewer.done
				time.Sleep(30 * time.Second) // for an answer, and until the next try
				h.is("push live/cam1 idle")
				p, h.sent = h.encoder(), nil
				h.publish(p, 4*time.Second)
				if viewer, err = h.play("cam1", client.Tells{}, nil); err != nil {
					t.Fatal(err)
				}
				n.deaf.Store(false)
				n.mu.Lock()
				n.cut = 0
				n.mu.Unlock()
				n.fail("b", false)
				h.publish(p, 32*time.Second)
				h.is("push live/cam1 live")
				p.Close()
				<-viewer.done
				if missed, _, last := follows(t, h.sent, viewer.got); missed != 0 || last != len(of(flv.TagVideo, h.sent))-1 {
					t.Errorf("a viewer missed %d", missed)
				}
				h.close()
				stop()
				if warned := strings.Count(h.log.String(), `"level":"warn","room":"relay"`); warned < 1 || warned > 3 {
					t.Errorf("%d warnings of the same: %s", warned, h.log)
				}
				if text := h.log.String() + fmt.Sprintf("%+v%+v", h.told, h.app.relay.List()); strings.Contains(text, "SECRET") || strings.Contains(text, "anna") {
					t.Error(text)
				}
			})
		})
	}
}

// A target that takes nothing holds nobody up who takes it out of the configuration.
func TestPushStuckIsTakenOut(t *testing.T) {
	inNetwork(t, func(n *network) {
		_, stop := n.archive("b")
		two, stopTwo := n.archive("c")
		h := n.node("a", nil, map[string][]string{"live/cam1": {"rtmp://b/live/x"}})
		p := h.encoder()
		h.publish(p, 4*time.Second)
		h.is("push live/cam1 live")
		mute := "b"
		n.mute.Store(&mute)
		h.publish(p, 2*time.Second)
		began := time.Now()
		h.reload(func(c *config.Config) { c.Push = map[string][]string{"live/cam1": {"rtmp://c/live/x"}} })
		if d := time.Since(began); d > 0 {
			t.Errorf("the configuration is read for %v", d)
		}
		h.publish(p, 4*time.Second)
		h.is("push live/cam1 live")
		if len(two.all) != 1 {
			t.Error("the other one has nothing")
		}
		p.Close()
		n.mute.Store(nil)
		h.close()
		stop()
		stopTwo()
	})
}
