package remux

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// TestStatedFrameRate: keyframes are so many frames apart, as x264's note says, and
// frames last as long as they do, whatever is stated.
func TestStatedFrameRate(t *testing.T) {
	for _, c := range []struct {
		name   string
		rate   int // frames in a second, of which VUI says 29.97
		keyint int
		hiccup time.Duration // that the first frame lasts longer
		want   time.Duration
	}{
		{"as stated", 30, 60, 0, 2002 * time.Millisecond},
		{"half of it", 15, 60, 0, 4 * time.Second},
		{"double", 60, 60, 0, time.Second},
		{"film", 24, 48, 0, 2 * time.Second},
		{"as stated, but for the first", 30, 60, 70 * time.Millisecond, 2002 * time.Millisecond},
		{"very few", 2, 60, 0, 0}, // not before a second has passed
	} {
		f := newFeed(t)
		note := append([]byte{nalSEI, 5, 40}, fmt.Sprintf("x264 - options: keyint=%d keyint_min=1 ", c.keyint)...)
		f.videoConfig(record(highSPS, highPPS))
		for i := range 70 {
			at := time.Duration(i) * time.Second / time.Duration(c.rate)
			if i > 0 {
				at += c.hiccup
			}
			head, nals := byte(0x27), [][]byte{slice}
			if i == 0 {
				head, nals = 0x17, [][]byte{note, idr}
			}
			f.now = time.UnixMilli(base).Add(at)
			f.tag(flv.TagVideo, uint32(at.Milliseconds()), []byte{head, 1, 0, 0, 0}, lengths(nals...))
		}
		f.r.Close(nil)
		got := f.out.periods[0][0].KeyframeInterval
		if off := got - c.want; off > c.want/100 || off < -c.want/100 {
			t.Errorf("%s: keyframes are said to be %v apart, not %v", c.name, got, c.want)
		}
	}
}
