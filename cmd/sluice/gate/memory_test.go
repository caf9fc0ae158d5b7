package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/cmd/sluice/memory"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// F28: where memory is out, new publishers are refused and live ones go on; one
// whose window grows too large is sent away with a reason.
func TestF28Memory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)))
		other, err := packager.ParseStreamName("live", "cam2")
		if err != nil {
			t.Fatal(err)
		}
		g := newGate()
		g.Metrics = metrics.New()
		g.Budget = memory.Budget{All: 40 << 20, Stream: 20 << 20}
		first, err := g.ask(newPeer())
		if err != nil {
			t.Fatal(err)
		}
		slides := &slides{sink: first}
		play := func(seconds, size int) error {
			for range seconds {
				if err := slides.show(size, true); err != nil {
					return err
				}
				time.Sleep(time.Second)
				g.Patrol()
			}
			return nil
		}
		if err := play(45, 1<<10); err != nil {
			t.Fatal(err)
		}
		if err := g.room(pushed{name: other, stream: other}); err != nil {
			t.Errorf("with %d bytes held: %v", held(g), err)
		}
		if err := play(18, 1<<20); err != nil {
			t.Fatalf("with %d bytes held: %v", held(g), err)
		}
		g.Budget.All = 16 << 20 // 12 are what players need of the one that is live
		var full *metrics.Exceeded
		if err := g.room(pushed{name: other, stream: other}); !errors.As(err, &full) || full.Limit != metrics.Memory || !strings.Contains(err.Error(), "of 16 MiB") {
			t.Errorf("with %d bytes held: %v", held(g), err)
		}
		if err := play(1, 1<<10); err != nil {
			t.Errorf("the live one: %v", err)
		}
		g.Budget.All = 64 << 20
		if err := play(20, 2<<20); !errors.As(err, &full) || full.Limit != metrics.StreamMemory {
			t.Errorf("with %d bytes held: %v", held(g), err)
		}
		first.Close(nil)
	})
}

// picture is an AVC configuration record of 960 × 540.
var picture = []byte("\x01\x64\x00\x28\xff\xe1\x00\x1c\x67\x64\x00\x28\xac\x76\x11\x03\xc0\x45\xfb\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xf0\x3c\x60\xc6\x11\x80\x01\x00\x06\x68\xe8\x43\x9c\xb2\x2c")

// slides is an encoder of one picture a second.
type slides struct {
	sink ingest.Sink
	at   uint32
}

// show sends a picture of so many bytes, which is a keyframe or not.
func (s *slides) show(size int, key bool) error {
	if s.at == 0 {
		config := append([]byte{0x17, 0, 0, 0, 0}, picture...)
		if err := s.sink.WriteTag(flv.Tag{Type: flv.TagVideo, Body: config}); err != nil {
			return err
		}
	}
	head, nal := byte(0x17), byte(0x65)
	if !key {
		head, nal = 0x27, 0x41
	}
	body := append([]byte{head, 1, 0, 0, 0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size), nal}, make([]byte, size-1)...)
	err := s.sink.WriteTag(flv.Tag{Type: flv.TagVideo, Timestamp: s.at, Body: body})
	s.at += 1000
	return err
}

// F37: encoders come back all at once, each with more than its share. As many are
// kept as players can watch, those first that were there first; the others hear
// why. What windows hold never exceeds the bound, and the room of those who went
// is free at once.
func TestF37AllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)))
		g := newGate()
		g.Metrics = metrics.New()
		const all, second = 72 << 20, 10_000_000 / 8
		g.Budget = memory.Budget{All: all, Stream: 256 << 20, Segments: 4}
		var encoders [6]*slides
		for i := range encoders {
			_, sink, err := g.Publish(t.Context(), ingest.Request{App: "live", Name: fmt.Sprint("cam", i), Remote: netip.MustParseAddrPort("192.0.2.1:1"), Peer: newPeer()})
			if err != nil {
				t.Fatalf("encoder %d: %v", i, err)
			}
			encoders[i] = &slides{sink: sink}
		}
		gone := 0
		for range 120 {
			for i, e := range encoders {
				if e == nil {
					continue
				}
				err := e.show(second, true)
				if err == nil {
					continue
				}
				var full *metrics.Exceeded
				if !errors.As(err, &full) || full.Limit != metrics.Memory || !strings.Contains(err.Error(), "window.max_memory") {
					t.Errorf("encoder %d hears %v", i, err)
				}
				e.sink.Close(err)
				encoders[i] = nil
				gone++
			}
			time.Sleep(time.Second)
			g.Patrol()
			if n := held(g); n > all {
				t.Fatalf("%d bytes are held", n)
			}
		}
		// Four need 15 MB each, and what the open part takes.
		if gone != 2 || encoders[4] != nil || encoders[5] != nil {
			t.Errorf("%d of 6 were sent away: %v", gone, encoders)
		}
		if n := len(g.Catalog.Streams()); n != 4 {
			t.Errorf("%d streams are left", n)
		}
		for _, s := range g.Catalog.Streams() {
			if w := s.Window(); !w.Playable() || len(w.Renditions[0].Segments) < 3 {
				t.Errorf("%v lists %d segments", w.Stream, len(w.Renditions[0].Segments))
			}
		}
		for _, e := range encoders {
			if e != nil {
				e.sink.Close(nil)
			}
		}
	})
}

// An encoder of 18 Mbit/s with a keyframe every 8 s, which OBS sends by default,
// is watched within the defaults for as long as it likes: with fewer segments.
func TestLongKeyframeInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)))
		g := newGate()
		window := config.Default().Window
		set := packager.Settings{
			Segments: window.Segments, SegmentMinDuration: window.SegmentMinDuration, SegmentMaxDuration: window.SegmentMaxDuration,
			PartDuration: window.PartDuration, MaxBytes: int(window.MaxStreamMemory), Grace: window.Grace, Linger: window.Linger,
		}
		g.Catalog = packager.NewCatalog(set, time.Now)
		g.Budget = memory.Budget{Stream: int64(window.MaxStreamMemory), Segments: window.Segments}
		sink, err := g.ask(newPeer())
		if err != nil {
			t.Fatal(err)
		}
		encoder := &slides{sink: sink}
		for i := range 400 {
			if err := encoder.show(18_000_000/8, i%8 == 0); err != nil {
				t.Fatalf("after %d s: %v", i, err)
			}
			time.Sleep(time.Second)
			g.Patrol()
			if n := held(g); n > int(window.MaxStreamMemory) {
				t.Fatalf("after %d s, %d bytes are held", i, n)
			}
		}
		name, _ := packager.ParseStreamName("live", "cam1")
		s, _ := g.Catalog.Lookup(name)
		r := s.Window().Renditions[0]
		if len(r.Segments) < 5 || len(r.Retired) <= len(r.Segments) {
			t.Errorf("%d segments are listed, and %d can be had behind them", len(r.Segments), len(r.Retired))
		}
		sink.Close(nil)
	})
}

func held(g *Gate) (n int) {
	for _, s := range g.Catalog.Streams() {
		n += s.Window().Bytes()
	}
	return n
}
