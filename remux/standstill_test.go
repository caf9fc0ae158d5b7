package remux

import (
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// F32: the encoder's clock stands still, or crawls, and goes on later. The frames go
// on at their pace, and picture and sound stay together.
func TestF32Standstill(t *testing.T) {
	for name, speed := range map[string]float64{"stands still": 0, "crawls": 0.01} {
		t.Run(name, func(t *testing.T) {
			f := newFeed(t)
			f.videoConfig(record(highSPS, highPPS))
			f.audioConfig("1190")
			// What the encoder's clock says when so much time has passed.
			clock := func(ms float64) uint32 {
				return uint32(min(ms, 5000) + min(max(ms-5000, 0), 20000)*speed + max(ms-25000, 0))
			}
			audio := 0
			for n := range 30 * 40 {
				ms := float64(n) * 1000 / 30
				f.now = time.UnixMilli(base).Add(time.Duration(ms * 1e6))
				if n%60 == 0 {
					f.key(clock(ms))
				} else {
					f.inter(clock(ms))
				}
				for ; float64(audio)*1024/48 <= ms; audio++ {
					f.sound(clock(float64(audio) * 1024 / 48))
				}
			}
			f.r.Close(nil)
			end := [2]float64{}
			for _, s := range f.out.samples {
				track := f.out.periods[len(f.out.periods)-1][s.Track]
				end[track.Kind()] = float64(s.DTS)/float64(track.Timescale) - base/1000
			}
			for k, at := range end { // a second passes before a standstill is believed
				if at < 38 || at > 40.5 {
					t.Errorf("%v ends at %.2f s of 40", Kind(k), at)
				}
			}
			if off := end[Video] - end[Audio]; off > 0.1 || off < -0.1 {
				t.Errorf("picture and sound end %.3f s apart", off)
			}
		})
	}
}

// A Remuxer tells what waits in it.
func TestHeld(t *testing.T) {
	f := newFeed(t)
	f.videoConfig(record(highSPS, highPPS))
	f.tag(flv.TagVideo, 0, []byte{0x17, 1, 0, 0, 0}, lengths(idr, make([]byte, 1<<20)))
	if n := f.r.Held(); n < 1<<20 {
		t.Errorf("%d bytes wait", n)
	}
	f.r.Close(nil)
}
