package hls_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	reader "github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/hls"
	"github.com/sluice-live/sluice/packager/packagertest"
	"github.com/sluice-live/sluice/remux"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
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

// draw renders all playlists of a window and checks that somebody else can
// read them.
func draw(t *testing.T, w *packager.Window) []byte {
	t.Helper()
	var all []byte
	add := func(name string, text []byte) {
		if _, err := reader.Unmarshal(text); err != nil {
			t.Errorf("%s: gohlslib can't read it: %v\n%s", name, err, text)
		}
		all = fmt.Appendf(all, "==> %s\n%s", name, text)
	}
	add("index.m3u8", hls.Multivariant(w))
	for i := range w.Renditions {
		r := &w.Renditions[i]
		add(string(r.ID)+".m3u8", hls.Media(w, r, hls.Full))
	}
	return all
}

func TestPlaylists(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(60)
	golden(t, "start.txt", draw(t, f.Stream.Window()))
	for range 3 {
		f.GOP(60)
	}
	f.SetTracks(packagertest.Tracks()...)
	f.GOP(60)
	f.GOP(30)
	golden(t, "two-periods.txt", draw(t, f.Stream.Window()))
	f.Publication.Close(nil)
	golden(t, "ended.txt", draw(t, f.Stream.Window()))
}

func TestAudioAlone(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(60)
	w := f.Stream.Window()
	golden(t, "audio.txt", hls.Multivariant(&packager.Window{Renditions: w.Renditions[1:]}))
}

// A picture of another size has come, and no part of it is complete.
func TestBetweenTwoDecoders(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(60)
	tracks := packagertest.Tracks()
	c := *tracks[0].Codec.(*remux.H264)
	c.Width, c.SPS = 320, [][]byte{append(bytes.Clone(c.SPS[0]), 1)}
	tracks[0] = remux.TrackOf(&c)
	f.SetTracks(tracks...)
	f.GOP(1)
	w := f.Stream.Window()
	if w.Renditions[0].Header != nil {
		t.Fatal("there is a part already")
	}
	if text := draw(t, w); !strings.Contains(string(text), "RESOLUTION=960x540") {
		t.Errorf("what is listed is gone:\n%s", text)
	}
}

// The part target is settled when an encoder comes back whose frames are longer:
// players get its segments as wholes.
func TestS1FramesLongerThanParts(t *testing.T) {
	f := packagertest.NewParts(t, 200*time.Millisecond)
	f.GOP(60)
	f.GOP(60)
	slow := f.Stream.Window().Renditions[0].Open + 1
	f.SetTracks(packagertest.Tracks()...)
	f.Slow(30)
	hints := 0
	for range 8 {
		f.GOP(1)
		w := f.Stream.Window()
		r := &w.Renditions[0]
		text := hls.Media(w, r, hls.Full)
		p := read[*reader.Media](t, text)
		for i, s := range p.Segments {
			if whole := p.MediaSequence+i >= int(slow); whole != (len(s.Parts) == 0) && i > 0 {
				t.Errorf("segment %d has %d parts:\n%s", p.MediaSequence+i, len(s.Parts), text)
			}
		}
		for _, part := range p.Parts {
			t.Errorf("a part of %v of the open segment", part.Duration)
		}
		if p.PreloadHint != nil {
			hints++ // before the first part of the period has come, nobody knows
		}
		if audio := read[*reader.Media](t, hls.Media(w, &w.Renditions[1], hls.Full)); audio.PreloadHint == nil {
			t.Error("the sound has no parts any more")
		}
	}
	if n := int(f.Stream.Window().Renditions[0].Open - slow); hints > 2 || n < 3 {
		t.Errorf("%d hints, %d segments", hints, n)
	}
}

// FuzzPlaylists draws whatever a stream can become: gohlslib reads it, and no
// number goes back.
func FuzzPlaylists(f *testing.F) {
	f.Add([]byte{60, 60, 60, 62, 60, 63, 60, 60}, true)
	f.Add([]byte{0, 4, 255, 8, 252, 2, 252, 3, 252, 7, 252}, false)
	f.Add([]byte{254, 254, 254, 252, 252, 255, 252}, true)
	f.Fuzz(func(t *testing.T, program []byte, goodbye bool) {
		feed := packagertest.New(t)
		last := make(map[packager.RenditionID]reader.Media)
		look := func(w *packager.Window) {
			if !w.Playable() {
				return
			}
			read[*reader.Multivariant](t, hls.Multivariant(w))
			for i := range w.Renditions {
				r := &w.Renditions[i]
				if len(r.Segments) == 0 {
					continue
				}
				now := *read[*reader.Media](t, hls.Media(w, r, hls.Full))
				read[*reader.Media](t, hls.Media(w, r, hls.Delta))
				checkFollows(t, last[r.ID], now)
				last[r.ID] = now
			}
		}
		feed.Play(program[:min(len(program), 20)], look)
		if goodbye {
			feed.Publication.Close(nil)
			look(feed.Stream.Window())
		}
	})
}

// BenchmarkTexts is what viewers cost who ask for all playlists of each half
// second of a stream, however many they are.
func BenchmarkTexts(b *testing.B) {
	f := packagertest.New(b)
	f.GOP(300)
	for b.Loop() {
		f.GOP(15)
		w := f.Stream.Window()
		for i := range w.Renditions {
			for scope, key := range map[hls.Scope]string{hls.Full: "full", hls.Delta: "delta"} {
				if _, err := w.Text(string(w.Renditions[i].ID)+key, func() ([]byte, error) { return hls.Media(w, &w.Renditions[i], scope), nil }); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

func read[P any](t *testing.T, text []byte) P {
	t.Helper()
	p, err := reader.Unmarshal(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	got, ok := any(p).(P)
	if !ok {
		t.Fatalf("it is a %T:\n%s", p, text)
	}
	return got
}

// checkFollows holds a playlist to the one before it.
func checkFollows(t *testing.T, before, now reader.Media) {
	t.Helper()
	if now.MediaSequence < before.MediaSequence || len(now.Segments) == 0 {
		t.Errorf("%d segments from %d, behind %d", len(now.Segments), now.MediaSequence, before.MediaSequence)
	}
	if a, b := before.DiscontinuitySequence, now.DiscontinuitySequence; a != nil && (b == nil || *b < *a) {
		t.Errorf("discontinuity sequence %v behind %d", b, *a)
	}
	if before.TargetDuration != 0 && now.TargetDuration != before.TargetDuration {
		t.Errorf("target duration %d, it was %d", now.TargetDuration, before.TargetDuration)
	}
	uris := make(map[int]string)
	for i, s := range before.Segments {
		uris[before.MediaSequence+i] = s.URI
	}
	for i, s := range now.Segments {
		if old, known := uris[now.MediaSequence+i]; known && old != s.URI {
			t.Errorf("number %d is %s, it was %s", now.MediaSequence+i, s.URI, old)
		}
		if s.Duration.Seconds() >= float64(now.TargetDuration)+0.5 {
			t.Errorf("%s lasts %v, the target is %d", s.URI, s.Duration, now.TargetDuration)
		}
	}
}

// BenchmarkMedia draws windows of one, ten and a hundred times so many segments:
// what a segment costs must not grow with their number.
func BenchmarkMedia(b *testing.B) {
	f := packagertest.New(b)
	f.GOP(300)
	w := f.Stream.Window()
	for _, n := range []int{10, 100, 1000} {
		r := w.Renditions[0]
		r.Segments = nil
		for i := range n {
			s := *w.Renditions[0].Segments[i%len(w.Renditions[0].Segments)]
			r.Segments = append(r.Segments, &s)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				hls.Media(w, &r, hls.Full)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/segment")
		})
	}
}

// An encoder that says goodbye before its picture has come leaves sound alone, in a
// playlist with a target duration.
func TestGoodbyeBeforeThePicture(t *testing.T) {
	for _, frames := range []int{1, 30, 60, 90} {
		f := packagertest.New(t)
		f.Still = true
		f.GOP(frames)
		f.Publication.Close(nil)
		w := f.Stream.Window()
		for i := range w.Renditions {
			r := &w.Renditions[i]
			now := *read[*reader.Media](t, hls.Media(w, r, hls.Full))
			checkFollows(t, reader.Media{}, now)
			t.Logf("%d frames: %s, %d segments, target %d", frames, r.ID, len(now.Segments), now.TargetDuration)
		}
	}
}
