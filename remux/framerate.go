package remux

import (
	"slices"
	"time"
)

// Encoders state a frame rate, in VUI or metadata, and often send another. Where
// the first frames don't come as stated, a few more tell.

// framesToTell is how many it takes.
const framesToTell = 6

// statedFrame is how long a frame lasts as the encoder says, in ns; 0 when it says
// nothing.
func (r *Remuxer) statedFrame() int64 {
	rate := Rational{Num: uint32(r.metadata.frameRate), Den: 1000}
	if c := r.video.codec; c != nil && c.FrameRate.Num > 0 {
		rate = c.FrameRate
	}
	if rate.Num == 0 {
		return 0
	}
	return int64(rate.Den) * int64(time.Second) / int64(rate.Num)
}

// asStated tells whether a duration is that which was stated, give or take what
// cameras do.
func asStated(frame, stated int64) bool {
	return near(frame, stated, stated/10+int64(2*time.Millisecond))
}

// firstFrames is how long the frames from the first keyframe on last that wait, in
// ns; 0 before there are two, and not sure while more would tell more.
func (r *Remuxer) firstFrames() (frame int64, sure bool) {
	var steps []int64
	last := int64(-1)
	for _, q := range r.queue {
		switch {
		case kindOf(q.tag) != Video:
		case last < 0:
			if q.at == r.start {
				last = q.at
			}
		default:
			steps = append(steps, max(q.at-last, 0)) // timestamps may be repeated
			last = max(last, q.at)
		}
	}
	if len(steps) == 0 {
		return 0, false
	}
	if stated := r.statedFrame(); stated == 0 || r.video.gop == 0 || asStated(steps[0], stated) {
		return steps[0], true // nothing depends on more
	}
	sure = len(steps) >= framesToTell-1
	slices.Sort(steps)
	return usualFrame(steps[len(steps)/2]), sure
}

// usualFrame is how long a frame lasts at the usual rate that explains a duration in
// whole milliseconds, or that itself.
func usualFrame(frame int64) int64 {
	best, slack := frame, int64(time.Millisecond)
	for _, rate := range usualRates {
		f := int64(time.Second) / rate
		if off := max(f-frame, frame-f); off < slack {
			best, slack = f, off
		}
	}
	return best
}

// keyframeInterval is what the encoder tells of it: so many frames, of which each
// lasts as long as it does, whatever is stated.
func (r *Remuxer) keyframeInterval() time.Duration {
	frame := r.statedFrame()
	if v := &r.video; v.misstated {
		if frame = v.firstFrame; v.clock.started {
			frame = v.clock.frame * int64(time.Second) / VideoTimescale
		}
	}
	if d := time.Duration(int64(r.video.gop) * frame); d > 0 && d < 10*time.Minute {
		return d
	}
	return 0
}
