package dash_test

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/packagertest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, f *packagertest.Feed) {
	t.Helper()
	got, err := dash.MPD(f.Stream.Window())
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
	golden(t, "start.mpd", f)
	for range 3 {
		f.GOP(60)
	}
	f.SetTracks(packagertest.Tracks()...)
	f.GOP(60)
	f.GOP(30)
	golden(t, "two-periods.mpd", f)
	f.Publication.Close(nil)
	golden(t, "ended.mpd", f)
}

// TestAhead lists the segment behind the one in production for players that are
// near live, and for no others: it may never come.
func TestAhead(t *testing.T) {
	for _, tt := range []struct {
		part  time.Duration
		ahead int
	}{{500 * time.Millisecond, 1}, {200 * time.Millisecond, 2}} {
		f := packagertest.NewParts(t, tt.part)
		for range 3 {
			f.GOP(60)
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
	text, err := dash.MPD(w)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mpd.MPDFromBytes(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// FuzzMPD draws whatever a stream can become: it is XML, dash-mpd reads it, and
// a segment keeps its number, its time and its length.
func FuzzMPD(f *testing.F) {
	f.Add([]byte{60, 60, 60, 62, 60, 63, 60, 60}, true)
	f.Add([]byte{0, 4, 255, 8, 252, 2, 252, 3, 252, 7, 252}, false)
	f.Add([]byte{254, 254, 254, 252, 252, 255, 252}, true)
	f.Fuzz(func(t *testing.T, program []byte, goodbye bool) {
		feed := packagertest.New(t)
		known := make(map[string]uint64)
		newest := make(map[string]uint32)
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
			checkTimelines(t, m, known, newest)
		}
		feed.Play(program[:min(len(program), 20)], look)
		if goodbye {
			feed.Publication.Close(nil)
			look(feed.Stream.Window())
		}
	})
}

// checkTimelines holds segments to the times that they had.
func checkTimelines(t *testing.T, m *mpd.MPD, known map[string]uint64, newest map[string]uint32) {
	t.Helper()
	for _, period := range m.Periods {
		for _, set := range period.AdaptationSets {
			template := set.SegmentTemplate
			if template == nil || template.SegmentTimeline == nil || template.StartNumber == nil {
				t.Fatalf("period %s: no timeline, or no first number", period.Id)
			}
			number, at := *template.StartNumber, uint64(0)
			track := set.Representations[0].Id + " of " + period.Id
			if number < newest[track] {
				t.Errorf("%s begins with number %d, it was %d", track, number, newest[track])
			}
			newest[track] = number
			for _, s := range template.SegmentTimeline.S {
				if s.T != nil {
					if *s.T < at {
						t.Errorf("%s: S@t %d is before %d, the end of the one before", track, *s.T, at)
					}
					at = *s.T
				}
				if s.D == 0 {
					t.Errorf("%s: number %d lasts nothing", track, number)
				}
				for range s.R + 1 {
					name := fmt.Sprintf("%s, number %d", track, number)
					if before, ok := known[name]; ok && before != at {
						t.Errorf("%s begins at %d, it was %d", name, at, before)
					}
					known[name] = at
					at += s.D
					number++
				}
			}
		}
	}
}
