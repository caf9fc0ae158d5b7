package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// eachOnce tells where in what was sent lies what was got: each access unit of a kind once, and in
// order. It fails where that isn't so.
func eachOnce(t *testing.T, kind flv.TagType, sent, got []flv.Tag) (first, last int) {
	t.Helper()
	sent, got = of(kind, sent), of(kind, got)
	if len(got) == 0 {
		t.Fatalf("no %v", kind)
	}
	best := 0
	for from := range sent {
		n := 0
		for n < len(got) && from+n < len(sent) && bytes.Equal(payload(sent[from+n]), payload(got[n])) {
			n++
		}
		if n == len(got) {
			return from, from + n - 1
		}
		best = max(best, n)
	}
	t.Errorf("%v: of %d that came, %d are as they were sent", kind, len(got), best)
	return 0, 0
}

// payload is what a tag has of a track: the composition time is rounded anew by each server.
func payload(tag flv.Tag) []byte {
	for packet, err := range flv.Packets(tag) {
		if err == nil {
			return packet.Data
		}
	}
	return nil
}

// evenly tells whether timestamps go on as those did that were sent.
func evenly(t *testing.T, kind flv.TagType, got []flv.Tag, most int32) {
	t.Helper()
	got = of(kind, got)
	for i := 1; i < len(got); i++ {
		if step := int32(got[i].Timestamp - got[i-1].Timestamp); step < 0 || step > most {
			t.Errorf("%v: %d ms from one to the next, %d ms behind the first", kind, step, got[i].Timestamp-got[0].Timestamp)
		}
	}
}

// A pull whose connection breaks, and that is back while its source still begins with what was
// passed on, goes on where it was: viewers get each access unit once, and no discontinuity.
func TestPullGoesOn(t *testing.T) {
	for name, after := range map[string][]time.Duration{
		"behind a keyframe":  {4600 * time.Millisecond},
		"before a keyframe":  {32700 * time.Millisecond},
		"again":              {8500 * time.Millisecond, 42500 * time.Millisecond},
		"as it is back":      {32300 * time.Millisecond, 32500 * time.Millisecond},
		"where a clip loops": {40100 * time.Millisecond},
		"hung up on":         {32500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inNetwork(t, func(n *network) {
				a := n.node("a", nil, nil)
				hungUp := name == "hung up on"
				if hungUp {
					n.cut = after[0]
				}
				b := n.node("b", map[string]string{"live/copy": "rtmp://a/live/cam1"}, nil)
				p := a.encoder()
				sent := make(chan struct{})
				began := time.Now()
				go func() { defer close(sent); a.publish(p, 64*time.Second); p.Close() }()
				time.Sleep(4 * time.Second)
				viewer, err := b.play("copy", client.Tells{}, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, at := range after {
					if hungUp {
						time.Sleep(4 * time.Second)
						n.mu.Lock()
						n.cut = 0
						n.mu.Unlock()
						continue
					}
					time.Sleep(time.Until(began.Add(at)))
					n.fail("a", true)
					n.fail("a", false)
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(time.Until(began.Add(60 * time.Second)))
				b.is("pull live/copy live")
				if _, list := b.get("/live/copy/v1.m3u8"); strings.Contains(list, "DISCONTINUITY\n") || strings.Contains(list, "#EXT-X-GAP") {
					t.Error(list)
				}
				if failures := b.app.relay.List()[0].Failures; failures < 1 || failures > len(after) {
					t.Errorf("%d failures", failures)
				}
				if s := b.app.gate.Sessions(); len(s) != 1 {
					t.Errorf("%d sessions", len(s))
				}
				<-sent
				<-viewer.done
				if viewer.err != io.EOF {
					t.Error(viewer.err)
				}
				for kind, step := range map[flv.TagType]int32{flv.TagVideo: 35, flv.TagAudio: 25} {
					if _, last := eachOnce(t, kind, a.sent, viewer.got); last != len(of(kind, a.sent))-1 {
						t.Errorf("%v: to %d of %d", kind, last, len(of(kind, a.sent)))
					}
					evenly(t, kind, viewer.got, step)
				}
				b.close()
				a.close()
			})
		})
	}
}

// Where viewers are not to wait for a source that is lost, the stream ends as its connection breaks.
func TestPullWithoutGrace(t *testing.T) {
	inNetwork(t, func(n *network) {
		a := n.node("a", nil, nil)
		n.set = func(c *config.Config) { c.Window.Grace = 0 }
		b := n.node("b", map[string]string{"live/copy": "rtmp://a/live/cam1"}, nil)
		p := a.encoder()
		sent := make(chan struct{})
		go func() { defer close(sent); a.publish(p, 12*time.Second); p.Close() }()
		time.Sleep(8 * time.Second)
		n.fail("a", true)
		time.Sleep(100 * time.Millisecond)
		if s := b.state("live/copy"); s == "live" {
			t.Errorf("it is %s", s)
		}
		<-sent
		b.close()
		a.close()
	})
}
