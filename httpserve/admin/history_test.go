package admin

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/packagertest"
)

// A history has what came in each step: nothing, where nothing did.
func TestHistory(t *testing.T) {
	f := packagertest.New(t)
	all := []*packager.Stream{f.Stream}
	nobody := func(packager.StreamName) int { return 2 }
	h := new(History)
	now := packagertest.Start
	for i := range 4 {
		if i < 3 {
			f.GOP(60)
		}
		h.Look(now, all, nobody)
		h.Look(now.Add(time.Second), all, nobody) // too soon for another point
		now = now.Add(historyStep)
	}
	s := &Server{House: &house{all: all}, History: h}
	out, err := s.history(context.Background(), &historyFilter{Page: Page{Limit: 1000}, Points: 120})
	if err != nil || len(out.Body.Streams) != 1 {
		t.Fatal(err, out)
	}
	one := out.Body.Streams[0]
	if len(one.Bitrate) != 4 || len(out.Body.Total.Bitrate) != 4 || one.Viewers[0] != 2 {
		t.Fatalf("%+v", one)
	}
	for i := range 3 { // a frame is 2,000 bytes, and some are those of the sound
		if one.Frames[i] != 30 || one.Bitrate[i] < 490_000 || one.Bitrate[i] > 700_000 || one.Latency[i] <= 0 || one.Latency[i] > 1 {
			t.Errorf("point %d: %+v", i, one)
		}
	}
	if one.Bitrate[3] != 0 || one.Frames[3] != 0 || one.Latency[3] != 0 {
		t.Errorf("nothing came, and it says %+v", one)
	}
	if out, _ = s.history(context.Background(), &historyFilter{Page: Page{Limit: 1000}, Points: 2}); len(out.Body.Streams[0].Bitrate) != 2 {
		t.Errorf("two points: %+v", out.Body)
	}
	for range 2 * historyPoints {
		h.Look(now, all, nobody)
		now = now.Add(historyStep)
	}
	if n := len(h.all[f.Stream.Window().Stream].points); n != historyPoints {
		t.Errorf("%d points are kept", n)
	}
	h.Look(now, nil, nobody)
	if len(h.all) != 0 {
		t.Error("a stream that is forgotten is remembered")
	}
}

// Looking at a stream that goes on costs next to nothing, however long its window is.
func BenchmarkHistory(b *testing.B) {
	f := packagertest.New(b)
	f.GOP(60)
	p := &past{seen: make(map[packager.RenditionID]int64)}
	for b.Loop() {
		clear(p.seen)
		p.look(f.Stream.Window())
	}
}

// Frames say which are keyframes, which are shown early, and when.
func TestFrames(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(30)
	w := f.Stream.Window()
	all := framesIn(&w.Renditions[0], 60)
	keys := 0
	for i, one := range all {
		if one.Kind == keyFrame {
			keys++
		}
		if one.Bytes != 2000 || one.At < 0 || i > 0 && one.At <= all[i-1].At {
			t.Fatalf("frame %d: %+v", i, one)
		}
	}
	if keys != 2 || len(all) < 75 {
		t.Errorf("%d keyframes in %d frames", keys, len(all))
	}
}
