package packager_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

var errLost = errors.New("connection reset")

// life is a catalog with one stream and a clock that is set by hand.
type life struct {
	now  time.Time
	c    *packager.Catalog
	name packager.StreamName
}

func newLife(t *testing.T) *life {
	t.Helper()
	l := &life{now: start}
	set := settings
	set.Grace = 30 * time.Second
	l.c = packager.NewCatalog(set, func() time.Time { return l.now })
	var err error
	if l.name, err = packager.ParseStreamName("live", "cam1"); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *life) publish(t *testing.T, tracks ...remux.Track) *feed {
	t.Helper()
	p, err := l.c.Publish(l.name)
	if err != nil {
		t.Fatal(err)
	}
	p.Begin(l.now)
	if err := p.SetTracks(tracks); err != nil {
		t.Fatal(err)
	}
	return &feed{t: t, p: p}
}

func (l *life) window(t *testing.T) *packager.Window {
	t.Helper()
	s, ok := l.c.Lookup(l.name)
	if !ok {
		t.Fatal("the stream is gone")
	}
	return s.Window()
}

// F3: an encoder that was lost comes back within the grace.
func TestF3Reconnect(t *testing.T) {
	l := newLife(t)
	r := rand.New(rand.NewPCG(3, 3))
	f := l.publish(t, video, audio)
	for range 3 {
		f.gop(r, 60, 30)
	}
	f.gop(r, 20, 30)
	f.p.Close(errLost)
	w := l.window(t)
	if w.State != packager.Waiting {
		t.Errorf("the stream is %v", w.State)
	}
	for _, rend := range w.Renditions { // F1: nothing that was received is held back
		n, sent := 0, len(f.video)
		if rend.ID == "a1" {
			sent = len(f.audio)
		}
		for _, s := range rend.Segments {
			n += s.Samples
		}
		if n != sent || len(rend.Parts) > 0 {
			t.Errorf("%s: %d samples of %d are listed", rend.ID, n, sent)
		}
	}
	before := w

	l.now = l.now.Add(29 * time.Second)
	l.c.Expire()
	f2 := l.publish(t, video, audio)
	f2.video, f2.audio = f.video, f.audio // it goes on behind
	for range 2 {
		f2.gop(r, 60, 30)
	}
	w = l.window(t)
	if w.State != packager.Live || w.TargetDuration != before.TargetDuration || w.PartTarget != before.PartTarget {
		t.Errorf("%v, target %d, parts of %v", w.State, w.TargetDuration, w.PartTarget)
	}
	for i := range w.Renditions {
		now, old := w.Renditions[i].Segments, before.Renditions[i].Segments
		last, newest := old[len(old)-1], now[len(now)-1]
		if newest.Header.Period.Sequence != last.Header.Period.Sequence+1 {
			t.Errorf("the discontinuity sequence goes from %d to %d", last.Header.Period.Sequence, newest.Header.Period.Sequence)
		}
		if newest.Header.Before != last.Header.Period || string(newest.Header.Bytes) != string(last.Header.Bytes) {
			t.Error("the same tracks have another header")
		}
		for k := 1; k < len(now); k++ {
			if now[k].MSN != now[k-1].MSN+1 {
				t.Errorf("number %d follows %d", now[k].MSN, now[k-1].MSN)
			}
		}
	}
}

// F3: the connection is lost behind the first part, and what comes back has
// another rendition in the lead.
func TestF3ReconnectInTheOpening(t *testing.T) {
	l := newLife(t)
	f := l.publish(t, audio)
	for i := range 60 {
		f.write(remux.Sample{DTS: start.Unix()*48000 + int64(i)*1024, Duration: 1024, Sync: true}, []byte("sound"))
	}
	f.p.Close(errLost)
	l.now = l.now.Add(5 * time.Second)
	told := video
	told.KeyframeInterval = 2 * time.Second
	f = l.publish(t, told)
	for i := range 200 {
		f.write(remux.Sample{DTS: (start.Unix()+5)*90000 + int64(i)*3000, Duration: 3000, Sync: i%60 == 0}, []byte("picture"))
	}
	w := l.window(t)
	if len(w.Renditions) != 2 || w.Renditions[0].ID != "v1" || len(w.Renditions[0].Segments) < 3 {
		t.Fatal("the picture doesn't go on")
	}
	if a := &w.Renditions[1]; !a.Away || a.Open < w.Renditions[0].Open-1 {
		t.Errorf("the sound, which is gone, is at %d (away: %v), the picture at %d", a.Open, a.Away, w.Renditions[0].Open)
	}
}

// A lost encoder that stays away ends its stream, a goodbye at once.
func TestGrace(t *testing.T) {
	l := newLife(t)
	r := rand.New(rand.NewPCG(4, 4))
	f := l.publish(t, video, audio)
	f.gop(r, 60, 30)
	f.p.Close(errLost)
	l.now = l.now.Add(30 * time.Second)
	if l.c.Expire(); l.window(t).State == packager.Ended {
		t.Error("ended within the grace")
	}
	l.now = l.now.Add(time.Second)
	if l.c.Expire(); l.window(t).State != packager.Ended {
		t.Error("not ended behind the grace")
	}
	l.now = l.now.Add(settings.Linger)
	l.c.Expire()
	l.window(t)

	f = l.publish(t, video, audio)
	f.gop(r, 60, 30)
	if f.p.Close(nil); l.window(t).State != packager.Ended {
		t.Error("a goodbye is no end")
	}
	// The server stops while a stream waits.
	f = l.publish(t, video, audio)
	f.gop(r, 60, 30)
	f.p.Close(errLost)
	if l.c.End(); l.window(t).State != packager.Ended {
		t.Error("the server's end is no end")
	}
	// Who sent nothing has nothing to wait for.
	p, err := l.c.Publish(l.name)
	if err != nil {
		t.Fatal(err)
	}
	if p.Close(errLost); l.window(t).State != packager.Ended {
		t.Error("waiting for an encoder that sent nothing")
	}
}

// F30: a thousand times.
func TestF30Reconnects(t *testing.T) {
	l := newLife(t)
	r := rand.New(rand.NewPCG(5, 5))
	var sent feed
	last := packager.MSN(0)
	for range 1000 {
		f := l.publish(t, video, audio)
		f.video, f.audio = sent.video, sent.audio
		f.gop(r, 30, 30)
		f.p.Close(errLost)
		sent.video, sent.audio = f.video, f.audio
		l.now = l.now.Add(2 * time.Second)
		l.c.Expire()
		w := l.window(t)
		for _, rend := range w.Renditions {
			for i, s := range rend.Segments {
				if i > 0 && s.MSN != rend.Segments[i-1].MSN+1 {
					t.Fatalf("number %d follows %d", s.MSN, rend.Segments[i-1].MSN)
				}
			}
			newest := rend.Segments[len(rend.Segments)-1].MSN
			if rend.ID == "a1" && newest != last {
				t.Fatalf("the sound is at %d, the picture at %d", newest, last)
			} else if rend.ID == "v1" && newest <= last {
				t.Fatalf("number %d follows %d", newest, last)
			}
			last = newest
			if n := len(rend.Retired); n > 40 {
				t.Fatalf("%d segments are kept behind the playlist", n)
			}
		}
	}
}

// A session without the sound of the one before it: the sound is silent for those
// who hear it, what was listed stays fetchable, and it may return.
func TestF29TracksComeAndGo(t *testing.T) {
	l := newLife(t)
	r := rand.New(rand.NewPCG(6, 6))
	f := l.publish(t, video, audio)
	f.gop(r, 60, 30)
	f.gop(r, 60, 30)
	sound := l.window(t).Renditions[1].Segments[0]
	if err := f.p.SetTracks([]remux.Track{video}); err != nil {
		t.Fatal(err)
	}
	mute := func() {
		for i := range 60 {
			s := f.video[len(f.video)-1].Sample
			s.DTS, s.Sync = s.DTS+3000, i == 0
			f.write(s, []byte("picture"))
		}
	}
	mute()
	w := l.window(t)
	rend, ok := w.Rendition("a1")
	if !ok || len(w.Renditions) != 2 || !rend.Away || len(w.Renditions[0].Segments) != len(rend.Segments) {
		t.Fatalf("the sound doesn't go on beside the picture: %+v", rend)
	}
	if got, ok := rend.Segment(sound.Header.Period.ID, sound.Start); !ok || got != sound {
		t.Error("a segment of the sound is gone")
	}
	if err := f.p.SetTracks([]remux.Track{video, audio}); err != nil {
		t.Fatal(err)
	}
	f.audio = make([]*sent, (f.video[len(f.video)-1].DTS/90000-start.Unix())*48000/1024)
	f.gop(r, 60, 30)
	w = l.window(t)
	a, _ := w.Rendition("a1")
	if len(w.Renditions) != 2 || len(w.Former) != 0 || a.Open <= sound.MSN {
		t.Errorf("%d renditions, %d former ones; the sound has number %d", len(w.Renditions), len(w.Former), a.Open)
	}
}

// F13: a goodbye behind a single picture, before the sound that was announced:
// what came can be watched.
func TestF13GoodbyeBeforeTheSound(t *testing.T) {
	l := newLife(t)
	f := l.publish(t, video, audio)
	f.write(remux.Sample{DTS: start.Unix() * 90000, Duration: 3000, Sync: true}, []byte("picture"))
	f.p.Close(nil)
	if w := l.window(t); w.State != packager.Ended || !w.Playable() || len(w.Renditions) != 1 || w.Renditions[0].Segments[0].Samples != 1 {
		t.Errorf("%v, playable %v, renditions %+v", w.State, w.Playable(), w.Renditions)
	}
}

// F3: what could be watched while the encoder was away is not taken back when
// it returns with a sound that has nothing yet.
func TestF3ReconnectWithAnotherTrack(t *testing.T) {
	l := newLife(t)
	f := l.publish(t, video)
	f.write(remux.Sample{DTS: start.Unix() * 90000, Duration: 3000, Sync: true}, []byte("picture"))
	f.p.Close(errLost)
	if w := l.window(t); w.State != packager.Waiting || !w.StillPlayable() {
		t.Errorf("%v, still playable %v", w.State, w.StillPlayable())
	}
	l.now = l.now.Add(5 * time.Second)
	f = l.publish(t, video, audio)
	for i := range 10 {
		f.write(remux.Sample{DTS: (start.Unix()+5)*90000 + int64(i)*3000, Duration: 3000, Sync: i == 0}, []byte("picture"))
	}
	if w := l.window(t); !w.StillPlayable() {
		t.Error("it is taken back")
	}
}
