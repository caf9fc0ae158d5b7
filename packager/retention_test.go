package packager_test

import (
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// A window that is too large for its memory gets shorter, in all renditions alike:
// from the first on, its lists are such as what must stay behind them has room,
// too; where its bitrate grows, or there is less, down to what players need.
func TestWindowGetsShorter(t *testing.T) {
	set := settings
	set.Segments = 8
	s, f := publish(t, set, video, audio)
	const second = 30_000 // bytes of picture
	n := 0
	play := func(seconds, second int, check func(w *packager.Window)) {
		t.Helper()
		for range seconds * 30 {
			f.write(remux.Sample{Track: 0, DTS: start.Unix()*90000 + int64(n)*3000, Duration: 3000, Sync: n%60 == 0}, make([]byte, second/30))
			for at := int64(n) * 1600 / 1024; at*1024 < int64(n+1)*1600; at++ {
				if at*1024 >= int64(n)*1600 {
					f.write(remux.Sample{Track: 1, DTS: start.Unix()*48000 + at*1024, Duration: 1024, Sync: true}, make([]byte, 20))
				}
			}
			n++
			if n%60 == 30 { // all renditions have ended the segment
				check(s.Window())
			}
		}
	}
	lists := func(w *packager.Window) (listed, retired int) {
		t.Helper()
		v, a := &w.Renditions[0], &w.Renditions[1]
		if len(v.Segments) > 0 && len(a.Segments) > 0 && v.Segments[0].MSN != a.Segments[0].MSN {
			t.Fatalf("the picture's list begins with %d, the sound's with %d", v.Segments[0].MSN, a.Segments[0].MSN)
		}
		return len(v.Segments), len(v.Retired)
	}
	within := func(allowed int) func(w *packager.Window) {
		s.Allow(int64(allowed))
		return func(w *packager.Window) {
			t.Helper()
			if n := w.Bytes(); n > allowed {
				t.Fatalf("after %d s: %d bytes are held, and may be %d", n/30, n, allowed)
			}
			lists(w)
		}
	}
	play(60, second, within(2*second*14))
	if listed, retired := lists(s.Window()); listed < 4 || listed > 6 || retired < listed {
		t.Errorf("with room for 14 segments, %d are listed and %d kept behind them", listed, retired)
	}
	play(60, 2*second, within(2*second*14))
	if listed, retired := lists(s.Window()); listed != 3 || retired < 2 {
		t.Errorf("with room for 7, %d are listed and %d kept behind them", listed, retired)
	}
	if s.Window().Shortest() {
		t.Error("it is taken for as short as can be")
	}
	play(60, 2*second, func() func(*packager.Window) { s.Allow(1); return func(*packager.Window) {} }())
	if listed, retired := lists(s.Window()); listed != 3 || retired != 2 {
		t.Errorf("without room, %d are listed and %d kept behind them", listed, retired)
	}
	if w := s.Window(); !w.Shortest() || w.Need(packager.LeastSegments) < 2*2*second*6 {
		t.Errorf("shortest %v, needs %d", w.Shortest(), w.Need(packager.LeastSegments))
	}
	play(60, 2*second, within(0+1<<30))
	if listed, _ := lists(s.Window()); listed != 8 {
		t.Errorf("with all room again, %d are listed", listed)
	}
	f.p.Close(nil)
}

// Segments that are shorter than the target duration: three target durations stay
// listed.
func TestShortestWindowIsThreeTargets(t *testing.T) {
	set := settings
	set.Segments, set.TargetDuration = 8, 4*time.Second
	s, f := publish(t, set, video)
	s.Allow(1)
	for n := range 60 * 30 {
		f.write(remux.Sample{DTS: start.Unix()*90000 + int64(n)*3000, Duration: 3000, Sync: n%60 == 0}, make([]byte, 100))
	}
	r := s.Window().Renditions[0]
	if len(r.Segments) != 6 || len(r.Retired) != 2 {
		t.Errorf("%d segments of 2 s are listed under a target of 4 s, and %d kept behind them", len(r.Segments), len(r.Retired))
	}
	f.p.Close(nil)
}

// What a publication before left goes first where there is no room.
func TestFormerGoesFirst(t *testing.T) {
	l := newLife(t)
	for range 5 {
		l.session(t, "cam1", nil)
		l.now = l.now.Add(time.Second)
	}
	s, _ := l.c.Lookup(l.name)
	s.Allow(100)
	l.session(t, "cam1", nil)
	for _, f := range s.Window().Former {
		if f.Bytes() > 0 {
			t.Errorf("%d bytes of what was are held", f.Bytes())
		}
	}
}

// A stream that is forgotten before its time is gone at once, and its numbers
// don't come again. One that is published stays.
func TestForget(t *testing.T) {
	l := newLife(t)
	media, discontinuity := newest(l.session(t, "cam1", errLost))
	s, _ := l.c.Lookup(l.name)
	l.c.Forget(l.name)
	if _, ok := l.c.Lookup(l.name); ok || s.Window().State != packager.Ended {
		t.Error("it is still there, or those who wait don't hear of its end")
	}
	if m, d := newest(l.session(t, "cam1", nil)); m <= media || d <= discontinuity {
		t.Errorf("numbers go from %d and %d to %d and %d", media, discontinuity, m, d)
	}
	if _, err := l.c.Publish(l.name); err != nil {
		t.Fatal(err)
	}
	if l.c.Forget(l.name); l.window(t) == nil {
		t.Error("a live one is gone")
	}
}
