package packager_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
)

// Encoders of several qualities that were lost together come back one after another, with all
// that they have kept meanwhile: nothing of it is taken for missing.
func TestAllComeBack(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	set.SegmentMinDuration = time.Second
	for _, c := range []struct{ goes, otherGoes, back, otherBack int64 }{
		{9200, 9200, 10000, 10050},
		{9200, 9600, 10000, 10050},
		{9200, 9600, 10700, 10701},
		{9200, 9600, 10700, 10900},
		{9600, 10000, 10300, 10350},
		{9600, 9600, 10300, 10900},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			w := program(t, set, 20000, func(int64, *packager.Stream) {},
				pusher{label: "_1080p", order: 1, fps: 30, gop: 12, mute: true, gone: []away{{c.goes, c.back}}, cache: c.back - c.goes},
				pusher{label: "_720p", order: 2, fps: 30, gop: 12, mute: true, gone: []away{{c.otherGoes, c.otherBack}}, cache: c.otherBack - c.otherGoes})
			for i := range w.Renditions {
				r := &w.Renditions[i]
				have := make(map[int]int)
				for _, n := range units(r, "picture ") {
					have[n]++
				}
				for n := range 540 { // 18 s
					if have[n] != 1 {
						t.Errorf("%s has picture %d %d times", r.ID, n, have[n])
					}
				}
			}
		})
	}
}
