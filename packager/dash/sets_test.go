package dash_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/packager/packagertest"
	"github.com/sluice-live/sluice/remux"
)

// TestPictures: one program in two sizes is one AdaptationSet, each Representation of
// which lists its own segments.
func TestPictures(t *testing.T) {
	golden(t, "pictures.mpd", packagertest.Pictures(t, 0))
	for _, late := range []int{0, 20} {
		text, m := draw(t, packagertest.Pictures(t, late))
		sets := m.Periods[len(m.Periods)-1].AdaptationSets
		if len(sets) != 2 || len(sets[0].Representations) != 2 || len(sets[1].Representations) != 1 {
			t.Fatalf("%d sets:\n%s", len(sets), text)
		}
		if sets[0].SegmentAlignment != (late == 0) || sets[0].SegmentTemplate != nil || sets[1].SegmentTemplate == nil {
			t.Errorf("keyframes %d frames late:\n%s", late, text)
		}
		var begin [2]uint64
		for i, rep := range sets[0].Representations {
			lines := rep.SegmentTemplate.SegmentTimeline.S
			begin[i] = *lines[0].T
			if rep.SegmentTemplate.AvailabilityTimeOffset == 0 || len(rep.Resyncs) != 1 {
				t.Errorf("%s: nothing is said of the segment in production:\n%s", rep.Id, text)
			}
		}
		if want := uint64(late) * 3000; begin[1]-begin[0] != want {
			t.Errorf("the second begins %d ticks behind the first, want %d", begin[1]-begin[0], want)
		}
	}
}

// TestChoices: a second sound is an alternate with a name and a language, and a picture
// in HDR says its code points.
func TestChoices(t *testing.T) {
	w := packagertest.Pictures(t, 0)
	another := w.Renditions[2]
	h := *another.Header
	h.Track.Name, h.Track.Language = "Director's <commentary>", "de"
	another.ID, another.Number, another.Header, another.Segments = "a2", 4, &h, nil
	for _, s := range w.Renditions[2].Segments {
		copied := *s
		copied.Header = &h
		another.Segments = append(another.Segments, &copied)
	}
	picture := w.Renditions[1].Header
	picture.Track.Picture.Colour = &remux.ColourCodes{Primaries: 9, Transfer: 18, Matrix: 9}
	w.Renditions = append(slices.Clone(w.Renditions), another)
	golden(t, "choices.mpd", w)
	m := read(t, w)
	var got []string
	for _, a := range m.Periods[len(m.Periods)-1].AdaptationSets {
		line := fmt.Sprint(a.ContentType, " ", a.Lang, " ", a.Roles[0].Value)
		for _, l := range a.Labels {
			line += " " + l.Value
		}
		for _, p := range a.SupplementalProperties {
			line += " " + strings.TrimPrefix(string(p.SchemeIdUri), "urn:mpeg:mpegB:cicp:") + "=" + p.Value
		}
		got = append(got, line)
	}
	want := "video  main, video  alternate ColourPrimaries=9 TransferCharacteristics=18 MatrixCoefficients=9, audio  main, audio de alternate Director's <commentary>"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("%s; want %s", s, want)
	}
}
