package hls_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/hls"
	"github.com/sluice-live/sluice/packager/packagertest"
)

// like returns a rendition with the segments of another, and a picture of its own.
func like(r packager.Rendition, id packager.RenditionID, codecs string, height, peak int) packager.Rendition {
	h := *r.Header
	h.Track.Codecs = codecs
	h.Track.Picture.Width, h.Track.Picture.Height = height*16/9, height
	r.ID, r.Header, r.Peak, r.Average, r.Measured = id, &h, peak, peak, 60
	return r
}

// TestOrderOfVariants: players that know nothing yet begin with a good picture that most
// can load, and are told by SCORE what is better where bit rates don't say it.
func TestOrderOfVariants(t *testing.T) {
	w := packagertest.Pictures(t, 0)
	base, sound := w.Renditions[0], w.Renditions[2]
	const avc, hevc = "avc1.640028", "hvc1.1.6.L93.B0"
	tests := []struct {
		name string
		list []packager.Rendition
		want string // URI, NAME and SCORE of each
	}{
		{"the first is what most can load",
			[]packager.Rendition{like(base, "v1", avc, 1080, 6e6), like(base, "v2", avc, 360, 7e5), like(base, "v3", avc, 720, 19e5)},
			"v3 720p, v1 1080p, v2 360p"},
		{"or the least", []packager.Rendition{like(base, "v1", avc, 1080, 6e6), like(base, "v2", avc, 720, 3e6)}, "v2 720p, v1 1080p"},
		{"one alone has no name", []packager.Rendition{like(base, "v1", avc, 1080, 6e6)}, "v1"},
		{"two codecs",
			[]packager.Rendition{like(base, "v1", avc, 1080, 6e6), like(base, "v2", hevc, 1080, 3e6), like(base, "v3", avc, 720, 35e5)},
			"v3 720p H.264 1, v1 1080p H.264 2, v2 1080p HEVC 3"},
		{"two codecs, and little",
			[]packager.Rendition{like(base, "v1", avc, 720, 1e6), like(base, "v2", hevc, 720, 6e5)},
			"v1 720p H.264 1, v2 720p HEVC 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := string(hls.Multivariant(&packager.Window{Renditions: append(slices.Clone(tt.list), sound)}))
			var got []string
			for _, m := range regexp.MustCompile(`(?m)^#EXT-X-STREAM-INF:(.*)\n(\w+)\.m3u8$`).FindAllStringSubmatch(text, -1) {
				line := m[2]
				for _, attribute := range []string{"NAME", "SCORE"} {
					if v := regexp.MustCompile(`,` + attribute + `="?([^",]*)`).FindStringSubmatch(m[1]); v != nil {
						line += " " + v[1]
					}
				}
				got = append(got, line)
			}
			if s := strings.Join(got, ", "); s != tt.want {
				t.Errorf("%s; want %s:\n%s", s, tt.want, text)
			}
		})
	}
}

// TestLostQuality: one whose samples stay away is not offered to those who begin, and
// its playlist goes on with gaps for those who have it. It is offered again when it is back.
func TestLostQuality(t *testing.T) {
	f := packagertest.NewQualities(t)
	f.Qualities(600)
	has := func(what string, want int) {
		t.Helper()
		if text := string(hls.Multivariant(f.Stream.Window())); strings.Count(text, "#EXT-X-STREAM-INF:") != want || !strings.Contains(text, "#EXT-X-INDEPENDENT-SEGMENTS\n") {
			t.Errorf("%s: want %d variants, independent segments:\n%s", what, want, text)
		}
	}
	has("all there", 3)
	f.Lost = []int{1}
	f.Qualities(300)
	has("one lost", 2)
	w := f.Stream.Window()
	for i := range w.Renditions {
		r := &w.Renditions[i]
		text := string(hls.Media(w, r, hls.Full))
		if n := strings.Count(text, "#EXT-X-RENDITION-REPORT:"); n != 3 {
			t.Errorf("%s has %d reports:\n%s", r.ID, n, text)
		}
		if strings.Contains(text, "#EXT-X-GAP\n") != (r.ID == "v2") || strings.Contains(text, "#EXT-X-DISCONTINUITY\n") {
			t.Errorf("%s:\n%s", r.ID, text)
		}
		if last := r.Segments[len(r.Segments)-1]; last.MSN != w.Renditions[0].Segments[len(w.Renditions[0].Segments)-1].MSN {
			t.Errorf("%s is at %d", r.ID, last.MSN)
		}
	}
	f.Lost = []int{0, 1, 2}
	f.Qualities(60)
	if text := string(hls.Multivariant(f.Stream.Window())); !strings.Contains(text, "\nv1.m3u8") {
		t.Errorf("where all are lost those that have media are offered:\n%s", text)
	}
	f.Lost = nil
	f.Qualities(240)
	has("all back", 3)
}

// TestKeyframesElsewhere: our page is told what differs.
func TestKeyframesElsewhere(t *testing.T) {
	const id = `DATA-ID="live.sluice.keyframes.1"`
	if text := string(hls.Multivariant(packagertest.Pictures(t, 0))); strings.Contains(text, id) {
		t.Errorf("they lie alike:\n%s", text)
	}
	if text := string(hls.Multivariant(packagertest.Pictures(t, 20))); !strings.Contains(text, id+`,VALUE="Keyframes of 270p come up to 1 s behind those of 540p: `) {
		t.Errorf("they don't:\n%s", text)
	}
}
