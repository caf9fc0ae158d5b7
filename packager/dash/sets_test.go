package dash_test

import (
	"testing"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/packagertest"
)

// TestPictures: one program in two sizes is one AdaptationSet, each Representation of
// which lists its own segments.
func TestPictures(t *testing.T) {
	golden(t, "pictures.mpd", packagertest.Pictures(t, 0))
	for _, late := range []int{0, 20} {
		text, err := dash.MPD(packagertest.Pictures(t, late))
		if err != nil {
			t.Fatal(err)
		}
		m, err := mpd.MPDFromBytes(text)
		if err != nil {
			t.Fatal(err)
		}
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
