package remux

import (
	"slices"
	"time"
)

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

// ticks turns nanoseconds since 1970 into a timescale, to the nearest tick.
func ticks(ns, timescale int64) int64 {
	const second = int64(time.Second)
	return ns/second*timescale + (ns%second*timescale+second/2)/second
}

// videoClock turns the times of frames into the DTS of a video track: the
// encoder's own, made to grow, and freed from rounding where frames come at an
// even rate.
type videoClock struct {
	started bool
	last    int64
	frame   int64 // ticks that a frame should last
	lost    int64 // frames that are known to be missing before the next
	odd     int64 // that the latest lasted where that is something else, 0 where it isn't
	grid    grid

	reorder reorder
	shown   [16]int64 // when the newest frames are shown, ticks
	next    int       // in shown
}

// reorder is how much later than they are decoded pictures are shown.
type reorder struct {
	frames int   // that it was taken from
	most   int64 // of late, ticks
	beyond int   // frames of late that are shown much later than that
}

// offset bounds the offset of the composition of a frame, in ticks. Where an
// encoder's clock leaps between the two times of a frame, they are apart by that.
func (r *reorder) offset(composition int64) int64 {
	const (
		known    = 16 // frames, before which all is believed
		mistakes = 4  // more of them are none
	)
	if r.frames < known {
		r.frames++
		r.most = max(r.most, composition)
		return composition
	}
	if composition > r.most+VideoTimescale/2 && r.beyond < mistakes*known {
		r.beyond += known
		return r.most
	}
	r.beyond = max(r.beyond-1, 0)
	r.most = max(composition, r.most-(r.most-composition)/256)
	return composition
}

// expect tells the frame rate that the encoder states, if any. How long frames
// last is taken from it only before there were some: encoders often state another.
func (v *videoClock) expect(r Rational) {
	if r.Num > 0 && r.Den > 0 {
		if !v.started {
			v.frame = int64(r.Den) * VideoTimescale / int64(r.Num)
		}
		v.grid.stated = int64(r.Den) * VideoTimescale * fine / int64(r.Num)
	}
}

// place returns the DTS in ticks, and the offset of the composition from it,
// for a frame that the encoder wants decoded at ns and shown that many ticks
// later.
func (v *videoClock) place(ns, composition int64) (dts, offset int64) {
	dts, offset = v.settle(ticks(ns, VideoTimescale), v.reorder.offset(composition))
	// Encoders repeat timestamps. No two frames are shown at one time: half a
	// frame later there is room, whether the next one is a frame or two behind.
	for later := max(v.frame/2, millisecond); slices.Contains(v.shown[:], dts+offset); later = millisecond {
		offset += later
	}
	v.shown[v.next] = dts + offset
	v.next = (v.next + 1) % len(v.shown)
	return dts, offset
}

// settle is place, but that several may be shown at one time.
func (v *videoClock) settle(want, composition int64) (dts, offset int64) {
	if !v.started {
		v.started, v.last, v.odd = true, want, longestFrame
		if v.frame <= 0 || v.frame > VideoTimescale {
			v.frame = VideoTimescale / 30
		}
		v.grid.begin(want)
		return want, composition
	}
	dts, even := v.grid.place(want, v.last)
	if even {
		offset = v.grid.whole(composition)
	} else {
		dts = max(want, v.last+millisecond)
		offset = composition + want - dts
	}
	step := (dts - v.last) / (1 + v.lost)
	switch {
	case even && step*fine < v.grid.frame+2*fine: // one frame, not several
		v.frame, v.odd = step, 0
	case near(step, v.frame, jitter):
		v.frame += (step - v.frame) / 16 // towards the encoder's true rate
		v.odd = 0
	case v.odd == 0: // one was lost, or there was a pause: that tells nothing
		v.odd = step
	default:
		v.frame, v.odd = min(step, v.odd, longestFrame), step
	}
	v.last, v.lost = dts, 0
	return dts, offset
}

// fine is the unit of a grid: quarters of a tick hold 1001/24000 s, and the
// rest is for what an encoder's clock is off.
const fine = 256

// grid is an even cadence of frames. It is used as long as frames are near its
// lines, and follows the encoder's clock by a tick at a time.
type grid struct {
	stated int64 // duration of a frame that the encoder states, fine ticks
	frame  int64 // … that is known to be true, 0 when none is
	at     int64 // line of the newest frame, fine ticks
	off    int64 // how far frames are behind their lines of late, fine ticks

	begun  int64 // where frames began to come evenly, ticks
	frames int64 // since then
}

// Frames are counted until their mean duration tells one rate from its
// neighbour: 30 and 29.97 are 1000 ppm apart.
const (
	framesToConfirm = 8 // what the encoder states, or did before
	framesToMeasure = 256
	rateSlack       = 450 // ppm: rounding, and a clock that is off
)

// begin makes at the first line.
func (g *grid) begin(at int64) {
	g.at, g.off = at*fine, 0
	g.begun, g.frames = at, 0
}

// place returns the line that a frame is on.
func (g *grid) place(want, last int64) (dts int64, even bool) {
	g.count(want)
	if g.frame == 0 {
		g.at = want * fine
		return 0, false
	}
	line := g.at + g.frame
	off := want*fine - line
	if lost := (off + g.frame/2) / g.frame; lost > 0 && lost < 8 { // frames, not time
		line += lost * g.frame
		off -= lost * g.frame
		g.begun, g.frames = want, 0
	}
	if off > jitter*fine || off < -jitter*fine {
		g.begin(want)
		g.frame = 0
		return 0, false
	}
	steps := min(max(pullTime*fine/g.frame, 4), 32)
	g.off += (off - g.off) / steps
	line += pull(g.off, fine*millisecond*5/4, steps, max(fine*3, g.frame/1000))
	dts = (line + fine/2) / fine
	if dts <= last {
		g.begin(want)
		g.frame = 0
		return 0, false
	}
	g.at = line
	return dts, true
}

// pullTime is how long a grid takes to follow, in ticks: 32 frames of 30 fps, and
// fewer of longer ones, as the line may be bent by 500 ppm.
const pullTime = 32 * VideoTimescale / 30

// pull is the step towards what is off by more than rounding explains: all of it in
// so many steps.
func pull(off, slack, steps, most int64) int64 {
	switch {
	case off > slack:
		return min(1+(off-slack)/steps, most)
	case off < -slack:
		return max(-1+(off+slack)/steps, -most)
	}
	return 0
}

// count watches frames come until their rate is known.
func (g *grid) count(want int64) {
	g.frames++
	mean := (want - g.begun) * fine / g.frames
	if g.frame == 0 && g.frames >= framesToConfirm && g.stated > 0 && near(mean, g.stated, 2*millisecond*fine/g.frames) {
		g.frame = g.stated
	}
	if g.frames < framesToMeasure {
		return
	}
	if f := standardFrame(mean); f > 0 {
		g.frame, g.stated = f, f
	}
	g.begun, g.frames = want, 0
}

func near(a, b, slack int64) bool { return a-b <= slack && b-a <= slack }

// usualRates are those of frames in a second; television has 1000/1001 of some.
var usualRates = [...]int64{5, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120}

// standardFrame is the duration of a frame at the usual rate that mean is
// nearest to; 0 when there is none.
func standardFrame(mean int64) int64 {
	best, slack := int64(0), mean*rateSlack/1e6
	for _, rate := range usualRates {
		for _, den := range [...]int64{1000, 1001} {
			f := VideoTimescale * fine * den / (rate * 1000)
			if off := max(f-mean, mean-f); off <= slack {
				best, slack = f, off
			}
		}
	}
	return best
}

// whole rounds a composition offset to whole frames, where rounding to
// milliseconds is all that keeps it from them.
func (g *grid) whole(composition int64) int64 {
	c := composition * fine
	n := (c + g.frame/2) / g.frame
	if c < 0 {
		n = (c - g.frame/2) / g.frame
	}
	if off := c - n*g.frame; off > fine*millisecond*3/2 || off < -fine*millisecond*3/2 {
		return composition
	}
	return (n*g.frame + fine/2) / fine
}

// audioClock puts access units on the sample grid: each begins where the one
// before ends, whatever the rounding of its timestamp. The grid moves only
// when it is off by more than that: by a sample at a time where the encoder's
// clock runs away, at once where a unit was lost (3/4 of one tell it from
// jitter) or the grid is ahead by more than one.
type audioClock struct {
	started bool
	rate    int64
	frame   int64 // samples of an access unit
	next    int64 // where the next one begins
	least   int64 // where it may begin: behind the one before
	off     int64 // how far units are behind the grid of late, fine samples
}

// setRate goes on, no earlier, on the grid of another sample rate.
func (a *audioClock) setRate(rate int64) {
	if a.started && a.rate != rate {
		seconds, rest := a.next/a.rate, a.next%a.rate
		a.next = seconds*rate + (rest*rate+a.rate-1)/a.rate
		a.least = a.next
	}
	a.rate = rate
}

// dts returns the decoding time in samples of a unit that the encoder wants at
// ns.
func (a *audioClock) dts(ns int64) int64 {
	want := ticks(ns, a.rate)
	slack := a.rate * 5 / 4000 // a rounding, and a little
	most := a.rate / 50        // no jitter: long units have a little more than short ones
	switch off := want - a.next; {
	case !a.started:
		a.next = want
	case off > min(a.frame*3/4, most):
		// One unit more or less is lost, and the grid may lag while it follows.
		if lost := (off + a.frame/2) / a.frame * a.frame; near(off, lost, slack) || lost == a.frame && near(off, lost, 4*slack) {
			a.next += lost
		} else {
			a.next, a.off = want, 0
		}
	case off < -min(a.frame, most*5/4):
		// The grid runs ahead of the encoder: one short sample brings it back.
		a.next, a.off = max(want, a.least), 0
	default:
		a.off += (off*fine - a.off) / 32
		if p := pull(a.off, slack*fine, 32, fine); p != 0 {
			a.next += p / max(p, -p)
			a.off -= p / max(p, -p) * fine
		}
	}
	a.started = true
	dts := a.next
	a.next, a.least = dts+a.frame, dts+1
	return dts
}
