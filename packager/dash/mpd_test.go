package dash_test

import (
	"bytes"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/packagertest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, w *packager.Window) {
	t.Helper()
	got, err := dash.MPD(w)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mpd.MPDFromBytes(got); err != nil {
		t.Errorf("%s can't be read back: %v", name, err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestManifests(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(60)
	golden(t, "start.mpd", f.Stream.Window())
	for range 3 {
		f.GOP(60)
	}
	f.SetTracks(packagertest.Tracks()...)
	f.GOP(60)
	f.GOP(30)
	golden(t, "two-periods.mpd", f.Stream.Window())
	f.Publication.Close(nil)
	golden(t, "ended.mpd", f.Stream.Window())
}

// F31: players look for the renditions of a period when they first see it. An encoder
// that comes back without sound has its silence in all manifests that list its picture.
func TestF31PeriodListsItsSilence(t *testing.T) {
	f := packagertest.New(t)
	for range 3 {
		f.GOP(60)
	}
	f.SetTracks(packagertest.Tracks()[0])
	f.Mute = true
	pictures := 0
	for range 12 {
		f.GOP(15)
		text, err := dash.MPD(f.Stream.Window())
		if err != nil {
			t.Fatal(err)
		}
		_, last, _ := bytes.Cut(text, []byte("</Period>"))
		picture, sound := bytes.Contains(last, []byte(`contentType="video"`)), bytes.Contains(last, []byte(`contentType="audio"`))
		if picture {
			pictures++
		}
		if picture && !sound {
			t.Fatalf("the second period has a picture and no sound:\n%s", last)
		}
	}
	if pictures == 0 {
		t.Fatal("there was no second period")
	}
}

// TestAhead lists the segment behind the one in production for players that are
// near live, and for no others: it may never come. Where it does, it has the
// name that was listed.
func TestAhead(t *testing.T) {
	for _, tt := range []struct {
		part  time.Duration
		ahead int
	}{{500 * time.Millisecond, 1}, {200 * time.Millisecond, 2}} {
		f := packagertest.NewParts(t, tt.part)
		listed := make([]uint64, 2) // where the last one of each rendition starts
		for n := range 6 {
			f.GOP(60)
			if n == 0 {
				continue // nothing to list yet
			}
			for i, set := range read(t, f.Stream.Window()).Periods[0].AdaptationSets {
				r := f.Stream.Window().Renditions[i]
				if n > 2 && tt.ahead == 2 && uint64(r.OpenStart) != listed[i] {
					t.Errorf("parts of %v: a segment of %s starts at %d, %d was listed", tt.part, r.ID, r.OpenStart, listed[i])
				}
				at := uint64(0)
				for _, s := range set.SegmentTemplate.SegmentTimeline.S {
					if s.T != nil {
						at = *s.T
					}
					listed[i] = at + s.D*uint64(s.R)
					at = listed[i] + s.D
				}
			}
		}
		w := f.Stream.Window()
		m := read(t, w)
		for i, r := range w.Renditions {
			listed, length := 0, uint64(0)
			for _, s := range m.Periods[0].AdaptationSets[i].SegmentTemplate.SegmentTimeline.S {
				listed += int(s.R) + 1
				length = s.D
			}
			if want := len(r.Segments) + tt.ahead; listed != want {
				t.Errorf("parts of %v: %d segments of %s are listed, not %d", tt.part, listed, r.ID, want)
			}
			if off := int64(length)*30 - int64(r.Header.Track.Timescale)*60; off < -30*1024 || off > 30*1024 {
				t.Errorf("parts of %v: the last segment of %s lasts %d ticks", tt.part, r.ID, length)
			}
		}
		f.Publication.Close(nil)
		for i, set := range read(t, f.Stream.Window()).Periods[0].AdaptationSets {
			var listed int
			for _, s := range set.SegmentTemplate.SegmentTimeline.S {
				listed += int(s.R) + 1
			}
			if want := len(f.Stream.Window().Renditions[i].Segments); listed != want {
				t.Errorf("parts of %v: at the end %d segments are listed, there are %d", tt.part, listed, want)
			}
		}
	}
}

func read(t *testing.T, w *packager.Window) *mpd.MPD {
	t.Helper()
	_, m := draw(t, w)
	return m
}

// draw is the manifest of a Window, and as another library reads it.
func draw(t *testing.T, w *packager.Window) (string, *mpd.MPD) {
	t.Helper()
	text, err := dash.MPD(w)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mpd.MPDFromBytes(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), m
}

// FuzzMPD draws whatever a stream can become: it is XML, dash-mpd reads it, and
// a segment keeps its time, which is its name.
func FuzzMPD(f *testing.F) {
	f.Add([]byte{60, 60, 60, 62, 60, 63, 60, 60}, true)
	f.Add([]byte{0, 4, 255, 8, 252, 2, 252, 3, 252, 7, 252}, false)
	f.Add([]byte{254, 254, 254, 252, 252, 255, 252}, true)
	f.Fuzz(func(t *testing.T, program []byte, goodbye bool) {
		feed := packagertest.New(t)
		known := make(map[string][]uint64)
		look := func(w *packager.Window) {
			if !w.Playable() {
				return
			}
			text, err := dash.MPD(w)
			if err != nil {
				t.Fatal(err)
			}
			decoder := xml.NewDecoder(bytes.NewReader(text))
			decoder.Strict = true
			for err == nil {
				_, err = decoder.Token()
			}
			if err != io.EOF {
				t.Fatalf("not XML: %v\n%s", err, text)
			}
			m, err := mpd.MPDFromBytes(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			checkTimelines(t, m, known)
		}
		feed.Play(program[:min(len(program), 20)], look)
		if goodbye {
			feed.Publication.Close(nil)
			look(feed.Stream.Window())
		}
	})
}

// checkTimelines holds segments to the times that they had: their names.
func checkTimelines(t *testing.T, m *mpd.MPD, known map[string][]uint64) {
	t.Helper()
	for _, period := range m.Periods {
		for _, set := range period.AdaptationSets {
			template := set.SegmentTemplate
			if template == nil || template.SegmentTimeline == nil {
				t.Fatalf("period %s: no timeline", period.Id)
			}
			track := set.Representations[0].Id + " of " + period.Id
			at := uint64(0)
			var starts []uint64
			for _, s := range template.SegmentTimeline.S {
				if s.T != nil {
					if *s.T < at {
						t.Errorf("%s: S@t %d is before %d, the end of the one before", track, *s.T, at)
					}
					at = *s.T
				}
				if s.D == 0 {
					t.Errorf("%s: the one at %d lasts nothing", track, at)
				}
				for range s.R + 1 {
					starts = append(starts, at)
					at += s.D
				}
			}
			before := known[track]
			if len(before) > 0 && starts[0] < before[0] {
				t.Errorf("%s begins at %d, it was %d", track, starts[0], before[0])
			}
			for _, was := range before {
				if was >= starts[0] && !slices.Contains(starts, was) {
					t.Errorf("%s: what started at %d is listed no more: %d", track, was, starts)
				}
			}
			if *m.Type == "dynamic" {
				starts = starts[:len(starts)-1] // in production: what was foreseen may be so no more
			}
			known[track] = starts
		}
	}
}
