package hls_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/hls"
	"github.com/sluice-live/sluice/packager/packagertest"
	"github.com/sluice-live/sluice/remux"
)

// TestPictures: each picture is a variant with all sounds, or with those of each codec.
func TestPictures(t *testing.T) {
	w := packagertest.Pictures(t, 0)
	golden(t, "pictures.txt", draw(t, w))
	another := w.Renditions[2]
	h := *another.Header
	h.Track.Codecs, h.Track.Name, h.Track.Language = "opus", "Commentary", "de"
	another.ID, another.Header, another.Peak = "a2", &h, 2*another.Peak
	text := string(hls.Multivariant(&packager.Window{Renditions: append(slices.Clone(w.Renditions), another)}))
	for line, want := range map[string]int{
		"#EXT-X-STREAM-INF:": 4,
		`CODECS="avc1.640028,mp4a.40.2",RESOLUTION=960x540`:                         1,
		`CODECS="avc1.640028,opus",RESOLUTION=960x540`:                              1,
		`CODECS="avc1.640028,opus",RESOLUTION=480x270`:                              1,
		`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="a1",LANGUAGE="und"`:         1,
		`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio2",NAME="Commentary",LANGUAGE="de"`: 1,
		`AUDIO="audio2"`: 2,
	} {
		if n := strings.Count(text, line); n != want {
			t.Errorf("%q is there %d times, want %d:\n%s", line, n, want, text)
		}
	}
}

// TestRanges: where one picture is not SDR all say their range, and those of another
// range are in no set with it.
func TestRanges(t *testing.T) {
	w := packagertest.Pictures(t, 0)
	h := *w.Renditions[1].Header
	h.Track.Picture.Colour = &remux.ColourCodes{Primaries: 9, Transfer: 16, Matrix: 9}
	w.Renditions[1].Header = &h
	text := string(hls.Multivariant(w))
	for _, line := range []string{"RESOLUTION=960x540,FRAME-RATE=30.000,VIDEO-RANGE=SDR", "RESOLUTION=480x270,FRAME-RATE=30.000,VIDEO-RANGE=PQ"} {
		if strings.Count(text, line) != 1 {
			t.Errorf("no %s:\n%s", line, text)
		}
	}
	if n := len(w.Sets()); n != 3 {
		t.Errorf("%d sets", n)
	}
	h.Track.Picture.Colour = &remux.ColourCodes{Primaries: 9, Transfer: 18, Matrix: 9}
	if text := string(hls.Multivariant(w)); strings.Count(text, "VIDEO-RANGE=HLG") != 1 {
		t.Errorf("no HLG:\n%s", text)
	}
}
