package remux

import (
	"math"
	"slices"
	"time"
)

// Encoders state a frame rate, in VUI or metadata, and often send another. Where
// the first frames don't come as stated, a few more tell.

// framesToTell is how many it takes.
const framesToTell = 6

// frameRate is how long the frames of a video track last.
type frameRate struct {
	clock *videoClock
	told  *description

	gop       int   // greatest distance of keyframes in frames, 0 when unknown
	first     int64 // how long frames last at first, in ns; 0 where that isn't sure
	misstated bool  // that isn't what the encoder states
}

// stated is how long a frame lasts as the encoder says, in ns; 0 when it says
// nothing.
func (f *frameRate) stated(c Codec) int64 {
	rate := Rational{Num: uint32(f.told.frameRate), Den: 1000}
	if c != nil && c.track().Picture.FrameRate.Num > 0 {
		rate = c.track().Picture.FrameRate
	}
	if rate.Num == 0 {
		return 0
	}
	return int64(rate.Den) * int64(time.Second) / int64(rate.Num)
}

// expected is the rate of a track that begins. Encoders of AV1, VP9 and VP8 leave it out of
// the bitstream, and say it in the metadata: in thousandths, which stand for a usual rate.
func (f *frameRate) expected(t *Track) Rational {
	switch t.Codec.(type) {
	case *AV1, *VPX:
	default:
		return t.Picture.FrameRate
	}
	told := int64(f.told.frameRate)
	if t.Picture.FrameRate.Num > 0 || told == 0 || told >= maxFrameRate*1000 {
		return t.Picture.FrameRate
	}
	if rate, ok := UsualRate(float64(told)/1000, 5/float64(told)); ok && rate.Den > 1 { // 29.97, 23.98
		return rate
	}
	return Rational{Num: uint32(told), Den: 1000}
}

// usualRates are those of frames in a second; television has 1000/1001 of some.
var usualRates = [...]int64{5, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120}

// UsualRate is the usual rate that a measured one, in frames per second, is nearest to and
// no further off than slack, which is a share of it; false where there is none.
func UsualRate(measured, slack float64) (best Rational, ok bool) {
	look := func(r Rational) {
		if off := math.Abs(float64(r.Num)/float64(r.Den)/measured - 1); off < slack {
			best, slack, ok = r, off, true
		}
	}
	for _, rate := range usualRates {
		look(Rational{Num: uint32(rate), Den: 1})
		if rate%6 == 0 {
			look(Rational{Num: uint32(rate) * 1000, Den: 1001})
		}
	}
	return best, ok
}

// begin is told how long the first frames last, in ns, as far as they tell.
func (f *frameRate) begin(frame int64, sure bool, c Codec) {
	f.first, f.misstated = 0, frame > 0 && !asStated(frame, f.stated(c))
	if sure {
		f.first = frame
	}
}

// asStated tells whether a duration is that which was stated, give or take what
// cameras do.
func asStated(frame, stated int64) bool {
	return near(frame, stated, stated/10+int64(2*time.Millisecond))
}

// measure is how long frames at these places last, in ns; 0 before there are two,
// and not sure while more would tell more.
func (f *frameRate) measure(places []place, c Codec) (frame int64, sure bool) {
	if len(places) < 2 {
		return 0, false
	}
	last := places[0]
	steps := make([]int64, 0, len(places)-1)
	for _, p := range places[1:] {
		steps = append(steps, int64(max(p.behind(last), 0))) // timestamps may be repeated
		if p.behind(last) > 0 {
			last = p
		}
	}
	if stated := f.stated(c); stated == 0 || f.gop == 0 || asStated(steps[0], stated) {
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
func (f *frameRate) keyframeInterval(c Codec) time.Duration {
	frame := f.stated(c)
	if f.misstated {
		if frame = f.first; f.clock.started {
			frame = f.clock.frame * int64(time.Second) / VideoTimescale
		}
	}
	if d := time.Duration(int64(f.gop) * frame); d > 0 && d < 10*time.Minute {
		return d
	}
	return 0
}
