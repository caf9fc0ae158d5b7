package dash_test

import (
	"slices"
	"testing"

	"github.com/sluice-live/sluice/packager/packagertest"
)

// TestTimelineGoesOneWay: a picture that is shown behind what came after it, as when an
// encoder's timestamps stood still, takes no part of a timeline back.
func TestTimelineGoesOneWay(t *testing.T) {
	f := packagertest.New(t)
	for range 4 {
		f.GOP(60)
	}
	w := f.Stream.Window()
	v := &w.Renditions[0]
	v.Segments = slices.Clone(v.Segments)
	last := len(v.Segments) - 1
	for i, off := range []int64{9, 0} { // the last two begin 9 ticks and no tick behind the newest
		late := *v.Segments[last-1-i]
		late.Start, late.PTS = v.Segments[last].Start+off, v.Segments[last].PTS+off
		v.Segments[last-1-i] = &late
	}
	text, m := draw(t, w)
	end, found := uint64(0), false
	for _, s := range m.Periods[0].AdaptationSets[0].SegmentTemplate.SegmentTimeline.S {
		if s.T != nil {
			if *s.T < end {
				t.Errorf("a segment starts at %d, the one before ends at %d:\n%s", *s.T, end, text)
			}
			end = *s.T
		}
		found = found || end == uint64(v.Segments[last].Start)
		end += s.D * uint64(s.R+1)
	}
	if !found {
		t.Errorf("the newest segment is gone:\n%s", text)
	}
}
