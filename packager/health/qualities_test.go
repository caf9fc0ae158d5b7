package health_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager/health"
	"github.com/sluice-live/sluice/packager/packagertest"
)

// A quality that is gone is said to be, and that the others are there.
func TestHealthTellsWhichQualityIsGone(t *testing.T) {
	f := packagertest.NewQualities(t)
	now := packagertest.Start
	var chart health.Chart
	play := func(seconds int, lost ...int) (all []string) {
		f.Lost = lost
		for range seconds {
			f.Qualities(30)
			now = now.Add(time.Second)
			chart = chart.Look(&health.Patient{Window: f.Stream.Window(), Now: now})
		}
		for _, a := range chart.Advice() {
			all = append(all, a.Text)
		}
		return all
	}
	if all := play(4); len(all) != 0 {
		t.Errorf("all is well, and %q", all)
	}
	if all := play(15, 1); len(all) != 1 || !strings.HasPrefix(all[0], "v2: nothing has come of this quality since 2026-11-24T12:00:0") {
		t.Errorf("%q", all)
	}
	if all := play(15, 0, 1, 2); len(all) != 3 || !strings.Contains(strings.Join(all, " "), "the encoder has sent no picture since") {
		t.Errorf("%q", all)
	}
}
