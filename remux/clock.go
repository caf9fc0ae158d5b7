package remux

import "time"

// VideoTimescale is the timescale of video tracks: all frame rates in use are
// whole quarters of a tick, and it is what every player expects.
const VideoTimescale = 90000

// RTMP rounds to milliseconds.
const millisecond = VideoTimescale / 1000

// jitter is how far a frame may be off for the rate to be even: both its ends
// are rounded, and encoders add what their cameras do.
const jitter = 4 * millisecond

// longestFrame is the most that a frame is expected to last, in ticks.
const longestFrame = 3 * VideoTimescale

// clock puts the units of a track on its timescale.
type clock interface {
	// begin is told the track of a period that begins, where it is another one than
	// before.
	begin(Track)

	// sample is when a unit is decoded that belongs at ns since 1970 and, of pictures,
	// is shown so many ms later; how long it should last; and when it is shown behind
	// that. All are in ticks of the track's timescale.
	sample(ns int64, composition int32, u *unit) (dts int64, duration uint32, offset int32)

	// lose is told that a frame is missing before the next one.
	lose()
}

// ticks turns nanoseconds since 1970 into a timescale, to the nearest tick.
func ticks(ns, timescale int64) int64 {
	const second = int64(time.Second)
	return ns/second*timescale + (ns%second*timescale+second/2)/second
}

func near(a, b, slack int64) bool { return a-b <= slack && b-a <= slack }
