package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// A target of a push that is drained asks it to come by another connection: it goes on there
// from a keyframe on, and no picture and no sound is lost or doubled. Where that fails, it goes on
// where it is, and tries again.
func TestPushMoves(t *testing.T) {
	for name, c := range map[string]struct {
		to    string
		moves bool
	}{
		"elsewhere":                {"rtmp://c/live", true},
		"to where it came":         {"", true},
		"where nobody is":          {"rtmp://gone/live", false},
		"to what is no address":    {"http://c/live", false},
		"to one that is drained":   {"rtmp://b/live", false},
		"to a name, not to an app": {"rtmp://c", false},
	} {
		t.Run(name, func(t *testing.T) {
			inNetwork(t, func(n *network) {
				one, stopOne := n.archive("one")
				two, stopTwo := n.archive("two")
				b := n.node("b", nil, map[string][]string{"live/x": {"rtmp://one/live/x"}})
				after := n.node("c", nil, map[string][]string{"live/x": {"rtmp://two/live/x"}})
				a := n.node("a", nil, map[string][]string{"live/cam1": {"rtmp://b/live/x"}})
				p := a.encoder()
				viewer := make(chan *audience)
				go func() {
					who, err := a.play("cam1", client.Tells{}, nil)
					if err != nil {
						t.Error(err)
					}
					viewer <- who
				}()
				a.publish(p, 8*time.Second)
				a.is("push live/cam1 live")
				if c.to == "" { // another server is behind the same address
					n.add("b", after.door)
				}
				b.app.gate.Drain(c.to)
				dialled := n.dialled()
				a.publish(p, 24*time.Second)
				a.is("push live/cam1 live")
				if c.moves {
					after.is("push live/x live")
				}
				if tries := n.dialled() - dialled; tries > 8 {
					t.Errorf("%d connections in 24 seconds", tries)
				}
				p.Close()
				all := <-viewer
				<-all.done
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if r := a.app.relay.List()[0]; r.Failures > 0 || r.Skips > 0 {
					t.Errorf("%+v", r)
				}
				a.close()
				b.close()
				after.close()
				stopOne()
				stopTwo()
				got := one.all
				if c.moves {
					got = append(got, two.all...)
				} else if len(two.all) > 0 {
					t.Error("it has gone elsewhere")
				}
				if want := 1 + len(two.all); len(got) != want || c.moves && len(two.all) != 1 {
					t.Fatalf("%d publications", len(got))
				}
				for _, kind := range []flv.TagType{flv.TagVideo, flv.TagAudio} {
					count := 0
					for _, tape := range got {
						count += len(of(kind, tape.tags))
					}
					if sent := len(of(kind, all.got)); count != sent || sent < len(of(kind, a.sent)) {
						t.Errorf("%v: %d of %d came, of which %d were sent", kind, count, sent, len(of(kind, a.sent)))
					}
				}
				for i, tape := range got {
					if missed, _, _ := follows(t, a.sent, tape.tags); missed != 0 {
						t.Errorf("of the stretch %d, %d pictures are missing", i, missed)
					}
				}
			})
		})
	}
}

// asks is a server that can ask who plays from it to come by another connection.
type asks struct {
	ingest.Handler
	mu    sync.Mutex
	peers []ingest.Peer
}

func (a *asks) Play(ctx context.Context, r ingest.Request) (string, ingest.Source, error) {
	a.mu.Lock()
	a.peers = append(a.peers, r.Peer)
	a.mu.Unlock()
	return a.Handler.(ingest.Player).Play(ctx, r)
}

// ask has all asked, and tells whether they understand it.
func (a *asks) ask(to string) (all bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all = len(a.peers) > 0
	for _, p := range a.peers {
		all = p.Reconnect(to) && all
	}
	return all
}

// A pull whose server asks it to come by another connection goes on there as soon as that has a
// picture, also where the server doesn't wait for it; viewers stay, and get each access unit once. Where that
// fails, it goes on where it is, and tries again.
func TestPullMoves(t *testing.T) {
	for name, c := range map[string]struct {
		to    string
		moves bool
		goes  bool // the server that asks, soon after
	}{
		"elsewhere":                      {"rtmp://c/live", true, false},
		"drained":                        {"rtmp://c/live", true, false},
		"elsewhere, and at once":         {"rtmp://c/live", true, true},
		"to where it came":               {"", true, false},
		"where nobody is":                {"rtmp://gone/live", false, false},
		"to what is no address":          {"http://c/live", false, false},
		"where it isn't":                 {"rtmp://c/other", false, false},
		"to itself":                      {"rtmp://b/live", false, false},
		"somewhere, with what is secret": {"rtmp://gone/live/SECRETINST?SECRETQUERY", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			inNetwork(t, func(n *network) {
				a, after := n.node("a", nil, nil), n.node("c", nil, nil)
				asking := &asks{Handler: a.app.rtmp.Handler}
				a.app.rtmp.Handler = asking
				b := n.node("b", map[string]string{"live/copy": "rtmp://a/live/cam1"}, nil)
				p, q := a.encoder(), after.encoder()
				var sent sync.WaitGroup
				sent.Go(func() { a.publish(p, 56*time.Second) })
				sent.Go(func() { after.publish(q, 56*time.Second) })
				time.Sleep(8 * time.Second)
				viewer, err := b.play("copy", client.Tells{}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if c.to == "" { // another server is behind the same address
					n.add("a", after.door)
				}
				if name == "drained" {
					a.app.gate.Drain(c.to)
				} else if !asking.ask(c.to) {
					t.Error("it doesn't say that it understands that")
				}
				n.takes = 500 * time.Millisecond
				dialled := n.dialled()
				time.Sleep(4 * time.Second)
				b.is("pull live/copy live")
				if moved := len(after.app.readers.List()) == 1; c.moves && !moved {
					t.Error("it hasn't moved within 4 seconds")
				}
				time.Sleep(20 * time.Second)
				if c.goes {
					n.fail("a", true)
				}
				sent.Wait()
				b.is("pull live/copy live")
				if there, new := len(a.app.readers.List()), len(after.app.readers.List()); there+new != 1 {
					t.Errorf("%d and %d play it", there, new)
				} else if moved := new == 1; moved != c.moves {
					t.Errorf("it has moved: %v", moved)
				}
				if tries := n.dialled() - dialled; tries > 10 || c.moves && tries > 1 {
					t.Errorf("%d connections in 48 seconds", tries)
				}
				select {
				case <-viewer.done:
					t.Errorf("a viewer hears %v", viewer.err)
				default:
				}
				p.Close()
				q.Close()
				time.Sleep(time.Minute)
				<-viewer.done
				if got := of(flv.TagVideo, viewer.got); viewer.err != io.EOF || len(got) < 48*30 {
					t.Errorf("%d pictures, %v", len(got), viewer.err)
				}
				for kind, step := range map[flv.TagType]int32{flv.TagVideo: 35, flv.TagAudio: 25} {
					evenly(t, kind, viewer.got, step)
					if _, last := eachOnce(t, kind, a.sent, viewer.got); last != len(of(kind, a.sent))-1 {
						t.Errorf("%v: to %d of %d", kind, last, len(of(kind, a.sent)))
					}
				}
				b.close()
				a.close()
				after.close()
				if text := b.log.String(); strings.Contains(text, "SECRET") || strings.Count(text, `"level":"warn","room":"relay"`) > 3 {
					t.Error(text)
				}
			})
		})
	}
}
