package dash_test

import (
	"fmt"
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/packagertest"
)

// No number in a manifest has digits that mean nothing: times are milliseconds,
// and true to them.
func TestNumbers(t *testing.T) {
	long := regexp.MustCompile(`\w+="-?\d*\.\d{4,}"|\w+="P[^"]*\.\d{4,}S"|\w+="[-\d]+T[^"]*\.\d{4,}Z"`)
	for _, part := range []time.Duration{100, 200, 250, 333, 500, 515, 1000} {
		for _, gop := range []int{30, 37, 60, 61, 119} {
			t.Run(fmt.Sprintf("parts of %d ms, GOPs of %d", part, gop), func(t *testing.T) {
				f := packagertest.NewParts(t, part*time.Millisecond)
				for range 5 {
					f.GOP(gop)
				}
				w := f.Stream.Window()
				b, err := dash.MPD(w)
				if err != nil {
					t.Fatal(err)
				}
				if found := long.Find(b); found != nil {
					t.Errorf("%s", found)
				}
				m, err := mpd.MPDFromBytes(b)
				if err != nil {
					t.Fatal(err)
				}
				for _, period := range m.Periods {
					for _, set := range period.AdaptationSets {
						template := set.SegmentTemplate
						timescale := float64(*template.Timescale)
						line := template.SegmentTimeline.S
						early := max(0, float64(line[len(line)-1].D)/timescale-w.Grain.Seconds())
						if got := float64(template.AvailabilityTimeOffset); got > early+1e-9 || got < early-0.001-1e-9 {
							t.Errorf("availabilityTimeOffset %v, and parts are there %v before the end", got, early)
						}
						at := set.ProducerReferenceTimes[0]
						clock, err := time.Parse(time.RFC3339, at.WallClockTime)
						if off := float64(clock.UnixMilli()) - float64(at.PresentationTime)/timescale*1000; err != nil || math.Abs(off) > 0.501 {
							t.Errorf("%s is %v ms off, %v", at.WallClockTime, off, err)
						}
						if got, want := float64(*set.Resyncs[0].DT), w.Grain.Seconds()*timescale; math.Abs(got-want) > 0.501 {
							t.Errorf("Resync@dT %v, want %v", got, want)
						}
					}
				}
			})
		}
	}
}
