package packager_test

import (
	"testing"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/packagertest"
)

// TestSets: pictures of one codec are in one set, sounds are each in their own, and
// what has had nothing is in none.
func TestSets(t *testing.T) {
	for _, tt := range []struct {
		late    int
		aligned bool
	}{{0, true}, {20, false}} {
		w := packagertest.Pictures(t, tt.late)
		sets := w.Sets()
		if len(sets) != 2 || len(sets[0].Renditions) != 2 || sets[0].Number != 1 || len(sets[1].Renditions) != 1 || sets[1].Number != 3 {
			t.Fatalf("%+v", sets)
		}
		if sets[0].Aligned != tt.aligned || !sets[1].Aligned {
			t.Errorf("keyframes %d frames late: aligned %v and %v", tt.late, sets[0].Aligned, sets[1].Aligned)
		}
		other := *w.Renditions[1].Header
		other.Track.Codecs = "hvc1.1.6.L93.B0"
		w.Renditions[1].Header = &other
		if sets := w.Sets(); len(sets) != 3 || sets[1].Number != 2 {
			t.Errorf("another codec: %+v", sets)
		}
		w.Renditions[1] = packager.Rendition{ID: "v2"}
		if sets := w.Sets(); len(sets) != 2 || len(sets[0].Renditions) != 1 || sets[1].Number != 3 {
			t.Errorf("nothing yet: %+v", sets)
		}
	}
}
