package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

func TestAvailableMemory(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	const machine = "MemFree:  1 kB\nMemTotal:       24576 kB\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"a machine", map[string]string{"proc/meminfo": machine}, 24 << 20},
		{"a container", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1048576\n"}, 1 << 20},
		{"one without a limit", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 24 << 20},
		{"a service in a slice", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/a.slice/b.service\n",
			"sys/fs/cgroup/a.slice/b.service/memory.max": "max\n", "sys/fs/cgroup/a.slice/memory.max": "2097152\n"}, 2 << 20},
		{"version 1", map[string]string{"proc/meminfo": machine, "sys/fs/cgroup/memory/memory.limit_in_bytes": "3145728\n"}, 3 << 20},
		{"version 1 without a limit", map[string]string{"proc/meminfo": machine, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 24 << 20},
		{"nothing is known", nil, 1<<63 - 1},
	} {
		root := t.TempDir()
		for name, text := range test.files {
			os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755)
			if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := availableMemory(root); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

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
		g.metrics = metrics.New()
		g.budget = budget{all: 40 << 20, stream: 20 << 20}
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
				g.patrol()
			}
			return nil
		}
		if err := play(45, 1<<10); err != nil {
			t.Fatal(err)
		}
		if err := g.room(other); err != nil {
			t.Errorf("with %d bytes held: %v", held(g), err)
		}
		if err := play(18, 1<<20); err != nil {
			t.Fatalf("with %d bytes held: %v", held(g), err)
		}
		g.budget.all = 16 << 20 // 12 are what players need of the one that is live
		var full *metrics.Exceeded
		if err := g.room(other); !errors.As(err, &full) || full.Limit != metrics.Memory || !strings.Contains(err.Error(), "of 16 MiB") {
			t.Errorf("with %d bytes held: %v", held(g), err)
		}
		if err := play(1, 1<<10); err != nil {
			t.Errorf("the live one: %v", err)
		}
		g.budget.all = 64 << 20
		if err := play(20, 2<<20); !errors.As(err, &full) || full.Limit != metrics.StreamMemory {
			t.Errorf("with %d bytes held: %v", held(g), err)
		}
		first.Close(nil)
	})
}

// slides is an encoder of one picture a second.
type slides struct {
	sink ingest.Sink
	at   uint32
}

// show sends a picture of so many bytes, which is a keyframe or not.
func (s *slides) show(size int, key bool) error {
	if s.at == 0 {
		config := append([]byte{0x17, 0, 0, 0, 0}, pictures[0]...)
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
		g.metrics = metrics.New()
		const all, second = 72 << 20, 10_000_000 / 8
		g.budget = budget{all: all, stream: 256 << 20, segments: 4}
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
			g.patrol()
			if n := held(g); n > all {
				t.Fatalf("%d bytes are held", n)
			}
		}
		// Four need 15 MB each, and what the open part takes.
		if gone != 2 || encoders[4] != nil || encoders[5] != nil {
			t.Errorf("%d of 6 were sent away: %v", gone, encoders)
		}
		if n := len(g.catalog.Streams()); n != 4 {
			t.Errorf("%d streams are left", n)
		}
		for _, s := range g.catalog.Streams() {
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
		set := settings(window)
		g.catalog = packager.NewCatalog(set, time.Now)
		g.budget = budget{stream: int64(window.MaxStreamMemory), segments: window.Segments}
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
			g.patrol()
			if n := held(g); n > int(window.MaxStreamMemory) {
				t.Fatalf("after %d s, %d bytes are held", i, n)
			}
		}
		name, _ := packager.ParseStreamName("live", "cam1")
		s, _ := g.catalog.Lookup(name)
		r := s.Window().Renditions[0]
		if len(r.Segments) < 5 || len(r.Retired) <= len(r.Segments) {
			t.Errorf("%d segments are listed, and %d can be had behind them", len(r.Segments), len(r.Retired))
		}
		sink.Close(nil)
	})
}

// What there is of memory is shared out: the least to all, and the rest to those
// who can use it.
func TestMemoryIsDivided(t *testing.T) {
	live := new(session)
	for _, test := range []struct {
		name   string
		all    int64
		claims []claim
		limits []int64
		away   int
	}{
		{"room for all", 100, []claim{{session: live, least: 10, full: 30}, {session: live, least: 10, full: 20}}, []int64{30 + 19, 20 + 19}, 0},
		{"who wants little leaves more", 60, []claim{{session: live, least: 10, full: 100}, {session: live, least: 10, full: 15}}, []int64{38, 15}, 0},
		{"what has ended keeps what it holds", 60, []claim{{held: 20, least: 20, full: 20}, {session: live, least: 10, full: 100}}, []int64{0, 33}, 0},
		{"slow viewers take from windows, and send nobody away", 60, []claim{{session: live, least: 30, full: 100, pinned: 50}, {session: live, least: 20, full: 100}}, []int64{30, 20}, 0},
		{"the youngest goes", 60, []claim{{session: live, least: 30, full: 100}, {session: live, least: 10, full: 100}, {session: live, least: 30, full: 100}}, []int64{36, 17, 0}, 1},
		{"one alone goes, too", 60, []claim{{session: live, least: 70, full: 100}}, []int64{0}, 1},
		{"no bound but a stream's", 0, []claim{{session: live, least: 70, full: 100}}, []int64{1000}, 0},
	} {
		limits, away := budget{all: test.all, stream: 1000}.divide(test.claims)
		if !slices.Equal(limits, test.limits) || away != test.away {
			t.Errorf("%s: %v, %d go; want %v, %d", test.name, limits, away, test.limits, test.away)
		}
	}
}

func held(g *gate) (n int) {
	for _, s := range g.catalog.Streams() {
		n += s.Window().Bytes()
	}
	return n
}
