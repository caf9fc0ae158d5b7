package health_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager/health"
	"github.com/sluice-live/sluice/packager/packagertest"
)

// F31: a track that stays away is said to be gone, in one sentence that stays the
// same, and no more once it is back.
func TestF31HealthTellsWhatIsGone(t *testing.T) {
	for _, c := range []struct {
		name string
		hush func(f *packagertest.Feed, away bool)
		want string
	}{
		{"sound", func(f *packagertest.Feed, away bool) { f.Mute = away }, "a1: the encoder has sent no sound since 2026-11-24T12:00:0"},
		{"picture", func(f *packagertest.Feed, away bool) { f.Still = away }, "v1: the encoder has sent no picture since 2026-11-24T12:00:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := packagertest.New(t)
			f.GOP(60)
			f.GOP(60)
			c.hush(f, true)
			now := packagertest.Start.Add(4 * time.Second)
			said := ""
			var chart health.Chart
			look := func() (all []string) {
				chart = chart.Look(&health.Patient{Window: f.Stream.Window(), Now: now})
				for _, a := range chart.Advice() {
					all = append(all, a.Text)
				}
				return all
			}
			for range 8 {
				f.GOP(60)
				now = now.Add(2 * time.Second)
				all := look()
				if gone := now.Sub(packagertest.Start) > 14*time.Second+500*time.Millisecond; len(all) != 1 == gone {
					t.Fatalf("after %v: %q", now.Sub(packagertest.Start), all)
				} else if !gone {
					continue
				}
				if !strings.HasPrefix(all[0], c.want) || said != "" && said != all[0] {
					t.Errorf("%q, and before %q", all[0], said)
				}
				said = all[0]
			}
			c.hush(f, false)
			f.GOP(60)
			now = now.Add(2 * time.Second)
			if all := look(); len(all) != 0 {
				t.Errorf("it is back, and still %q", all)
			}
		})
	}
}
