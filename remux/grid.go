package remux

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
