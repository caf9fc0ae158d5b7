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
	const pushers, fps = 4, 30
	picture, unit := make([]byte, 25_000), make([]byte, 340)
	for _, streams := range []int{1, pushers} {
		b.Run(fmt.Sprintf("%d streams", streams), func(b *testing.B) {
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
					b.Fatal(err)
				}
				if all[i], err = catalog.Contribute(stream, from); err != nil {
					b.Fatal(err)
				}
				v, a := video, audible()
				v.ID, a.ID = "v1", "a1"
				if err := all[i].SetTracks([]remux.Track{v, a}); err != nil {
					b.Fatal(err)
				}
			}
			put := func(c *packager.Contribution, s remux.Sample) {
				if err := c.WriteSample(s); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			frames, units := int64(0), int64(0)
			for b.Loop() {
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
		})
	}
}
