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

// TestSounds: sounds of each codec are a group of their own, which says how many
// channels they have, or how many objects.
func TestSounds(t *testing.T) {
	w := packagertest.Pictures(t, 0)
	sounds := []struct {
		codecs string
		sound  remux.Sound
		want   string
	}{
		{"mp4a.40.2", remux.Sound{Channels: 2}, `,CHANNELS="2",`},
		{"Opus", remux.Sound{Channels: 6}, `,CHANNELS="6",`},
		{"ec-3", remux.Sound{Channels: 6, Dolby: 0xF801, Objects: 16}, `,CHANNELS="16/JOC",`},
		{"mp4a.40.34", remux.Sound{Channels: 1}, `,CHANNELS="1",`},
	}
	all := slices.Clone(w.Renditions[:2])
	for _, s := range sounds {
		r := w.Renditions[2]
		h := *r.Header
		h.Track.Codecs, h.Track.Sound = s.codecs, s.sound
		r.ID, r.Header = packager.RenditionID("a-"+s.codecs), &h
		all = append(all, r)
	}
	text := string(hls.Multivariant(&packager.Window{Renditions: all}))
	for i, s := range sounds {
		group := `GROUP-ID="audio"`
		if i > 0 {
			group = `GROUP-ID="audio` + string(rune('1'+i)) + `"`
		}
		found := false
		for line := range strings.Lines(text) {
			found = found || strings.Contains(line, group) && strings.Contains(line, s.want) && strings.Contains(line, "a-"+s.codecs)
		}
		if !found || strings.Count(text, `CODECS="avc1.640028,`+s.codecs+`"`) != 2 {
			t.Errorf("%s:\n%s", s.codecs, text)
		}
	}
}
