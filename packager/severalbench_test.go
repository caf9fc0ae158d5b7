package packager_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// BenchmarkQualities: four qualities in one stream cost no more than four streams. A round
// is a second of all four.
func BenchmarkQualities(b *testing.B) {
	for _, streams := range []int{1, pushers} {
		b.Run(fmt.Sprintf("%d streams", streams), func(b *testing.B) {
			second := pushFour(b, streams)
			b.ReportAllocs()
			for b.Loop() {
				second()
			}
		})
	}
}

// TestQualitiesAllocateNoMore: four qualities in one stream need no more allocations than
// four streams. Their times are the benchmark's: memory that is copied, alike in both.
func TestQualitiesAllocateNoMore(t *testing.T) {
	allocations := func(streams int) float64 {
		second := pushFour(t, streams)
		for range 30 { // until windows are full
			second()
		}
		return testing.AllocsPerRun(60, second)
	}
	if set, four := allocations(1), allocations(pushers); set > four {
		t.Errorf("a set of four needs %.0f allocations for a second, four streams %.0f", set, four)
	}
}

const pushers = 4

// pushFour has four encoders push to so many streams, one or four, and returns what pushes a
// second of each.
func pushFour(tb testing.TB, streams int) (second func()) {
	tb.Helper()
	const fps = 30
	picture, unit := make([]byte, 25_000), make([]byte, 340)
	now := start
	set := settings
	set.Genlock = streams == 1
	catalog := packager.NewCatalog(set, func() time.Time { return now })
	var all [pushers]*packager.Contribution
	for i := range all {
		name, from := fmt.Sprint("cam", i%streams), packager.Contributor{}
		if streams == 1 {
			from = packager.Contributor{Label: fmt.Sprint("_", i), Order: i}
		}
		stream, err := packager.ParseStreamName("live", name)
		if err != nil {
			tb.Fatal(err)
		}
		if all[i], err = catalog.Contribute(stream, from); err != nil {
			tb.Fatal(err)
		}
		v, a := video, audible()
		v.ID, a.ID = "v1", "a1"
		if err := all[i].SetTracks([]remux.Track{v, a}); err != nil {
			tb.Fatal(err)
		}
	}
	put := func(c *packager.Contribution, s remux.Sample) {
		if err := c.WriteSample(&s); err != nil {
			tb.Fatal(err)
		}
	}
	frames, units := int64(0), int64(0)
	return func() {
		for range fps {
			for _, c := range all {
				put(c, remux.Sample{DTS: start.UnixMilli()*90 + frames*90000/fps, Duration: 90000 / fps, Sync: frames%(2*fps) == 0, Data: picture})
			}
			frames++
			now = start.Add(time.Duration(frames) * time.Second / fps)
			for ; units*1024*fps < frames*48000; units++ {
				for _, c := range all {
					put(c, remux.Sample{Track: 1, DTS: start.UnixMilli()*48 + units*1024, Duration: 1024, Sync: true, Data: unit})
				}
			}
		}
	}
}
