package packager_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// F32: timestamps crawl while data comes at its full rate. What a stream holds is
// bounded, and its Window tells of it.
func TestF32CrawlingClock(t *testing.T) {
	for name, c := range map[string]struct {
		step  int64 // ticks that the timestamps advance with each frame
		frame int   // bytes
		later int32 // ticks that each other group is shown later by
	}{
		"frozen, fast":   {1, 300_000, 0},
		"crawling, fast": {90, 300_000, 0},
		"crawling, slow": {90, 1000, 0},
		"half the speed": {1500, 40_000, 0},
		"in leaps":       {3000, 1000, 270000},
	} {
		t.Run(name, func(t *testing.T) {
			const bound = 16 << 20
			set := settings
			set.MaxBytes = bound
			now := start
			c2 := packager.NewCatalog(set, func() time.Time { return now })
			stream, _ := packager.ParseStreamName("live", "cam1")
			p, err := c2.Publish(stream)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.SetTracks([]remux.Track{video}); err != nil {
				t.Fatal(err)
			}
			s, _ := c2.Lookup(stream)
			payload, unseen, newest := bytes.Repeat([]byte{1}, c.frame), 0, s.Window()
			for i := range int64(30 * 60) {
				now = now.Add(time.Second / 30)
				if err := p.WriteSample(&remux.Sample{DTS: start.Unix()*90000 + i*c.step, CompositionOffset: int32(1-i/60%2) * c.later, Duration: 3000, Sync: i%60 == 0, Data: payload}); err != nil {
					t.Fatal(err)
				}
				if unseen += c.frame; s.Window() != newest {
					newest, unseen = s.Window(), 0
				}
				if unseen > bound/16+2*c.frame {
					t.Fatalf("%d bytes that no Window tells of", unseen)
				}
				for i := range newest.Renditions { // one, once there is any
					seg := &packager.Segment{}
					if n := len(newest.Renditions[i].Segments); n > 0 {
						seg = newest.Renditions[i].Segments[n-1]
					}
					if seg.Size > bound/8+bound/16+2*c.frame {
						t.Fatalf("a segment of %d bytes", seg.Size)
					}
				}
			}
			newest = s.Window()
			for i, seg := range newest.Renditions[0].Segments[1:] {
				if before := newest.Renditions[0].Segments[i]; seg.PTS < before.PTS {
					t.Errorf("segment %d begins at %v, and the one before at %v", seg.MSN, seg.Time(), before.Time())
				}
			}
			if n := len(newest.Renditions[0].Segments); n < 2 {
				t.Errorf("%d segments after a minute: nobody could begin", n)
			}
		})
	}
}
