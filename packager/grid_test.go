package packager

import (
	"fmt"
	"testing"
	"time"
)

const (
	ms    = time.Millisecond
	aac48 = 1024 * time.Second / 48000
	aac44 = 1024 * time.Second / 44100
)

func perSecond(fps float64) time.Duration { return time.Duration(float64(time.Second) / fps) }

func TestGrid(t *testing.T) {
	for _, tt := range []struct {
		want, segment time.Duration
		all           []frames
		grid          grid
	}{
		{500 * ms, 2000 * ms, []frames{{33 * ms, true}, {aac48, false}}, grid{500 * ms, 514 * ms}},               // 30 fps in RTMP's milliseconds
		{500 * ms, 0, []frames{{33 * ms, true}, {aac48, false}}, grid{495 * ms, 514 * ms}},                       // nothing known of keyframes
		{500 * ms, 2000 * ms, []frames{{40 * ms, true}, {aac48, false}}, grid{500 * ms, 525 * ms}},               // 12 and 13 frames of 25 fps
		{500 * ms, 2002 * ms, []frames{{perSecond(29.97), true}, {aac44, false}}, grid{500500 * 1000, 513 * ms}}, // 15 frames each
		{200 * ms, 2000 * ms, []frames{{perSecond(24), true}, {aac44, false}}, grid{250 * ms, 258 * ms}},         // 4 and 5 frames differ by too much
		{200 * ms, 2000 * ms, []frames{{40 * ms, true}, {aac48, false}}, grid{200 * ms, 216 * ms}},
		{500 * ms, 3200 * ms, []frames{{40 * ms, true}}, grid{3200 * ms / 6, 565 * ms}},
		{500 * ms, 2000 * ms, []frames{{aac48, false}}, grid{500 * ms, 514 * ms}},  // audio alone
		{500 * ms, 0, []frames{{time.Second, true}}, grid{time.Second, 1005 * ms}}, // 1 fps
	} {
		t.Run(fmt.Sprintf("%v of %v, frames of %v", tt.want, tt.segment, tt.all), func(t *testing.T) {
			if got := newGrid(tt.want, tt.segment, tt.all...); got != tt.grid {
				t.Errorf("got %v, want %v", got, tt.grid)
			}
		})
	}
}

// TestGridWith has keyframes become known when players know the part target.
func TestGridWith(t *testing.T) {
	pal := []frames{{perSecond(25), true}, {aac48, false}}
	g := newGrid(500*ms, 0, pal...)
	if got := g.with(2000*ms, pal...); got.step != 500*ms || got.target != g.target {
		t.Errorf("%v becomes %v", g, got)
	}
	if got := g.with(700*ms, pal...); got != g {
		t.Errorf("nothing fits 0.7 s, but %v becomes %v", g, got)
	}
}
