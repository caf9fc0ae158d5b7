package remux

import (
	"slices"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// TestRepeatedTimestamps: whatever timestamps an encoder repeats, how often, and
// with B-frames or without, no two frames are shown at one time, and none far from
// where it belongs.
func TestRepeatedTimestamps(t *testing.T) {
	for _, every := range []int{2, 3, 7, 10} {
		for _, reordered := range []bool{false, true} {
			f := newFeed(t) // whose recorder looks
			f.videoConfig(record(highSPS, highPPS))
			for i := range 300 {
				n := i
				if i%every == every-1 {
					n--
				}
				head := []byte{0x27, 1, 0, 0, 0}
				data := slice
				if i%60 == 0 {
					head[0], data = 0x17, idr
				}
				if reordered { // I P B B: shown as decoded, but for P, which waits
					head[4] = [...]byte{33, 100, 0, 0}[i%4]
				}
				f.tag(flv.TagVideo, uint32(n*1000/30), head, lengths(data))
			}
			f.r.Close(nil)
			if len(f.out.samples) != 300 {
				t.Fatalf("%d frames", len(f.out.samples))
			}
			pts := f.out.byID["v1"].shown
			slices.Sort(pts)
			for i, p := range pts {
				if off := p - pts[0] - int64(i)*3000; off < -4500 || off > 4500 {
					t.Errorf("every %d, reordered %v: frame %d is shown %d ticks from where it belongs", every, reordered, i, off)
					break
				}
			}
		}
	}
}
