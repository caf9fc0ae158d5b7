package main

import (
	"testing"
	"testing/synctest"
	"time"

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
