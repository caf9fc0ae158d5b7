package packager

import "time"

// grid says where parts end: at multiples of step from where their segment
// begins. A segment is a whole number of steps long, so its last part is as
// long as the others, and the parts of all renditions end together. A scrap of
// a part at the end of a segment is worse than untidy: hls.js takes up to 0.2 s
// that are missing for rounding, and then waits for what follows until the
// segment has left the playlist.
type grid struct {
	step   time.Duration // 0 while it isn't known how long frames last
	target time.Duration // the most that a part may last; it never changes
}

const (
	// gridSlack is added to what video needs: RTMP's milliseconds make 15
	// frames of 30 fps last 0.5 s give or take one.
	gridSlack = 5 * time.Millisecond

	// unitSlack is added to what audio needs: its grid follows the encoder's clock
	// a sample at a time.
	unitSlack = 2 * time.Millisecond

	// fill is how much of the part target a part must last at least (RFC
	// 8216bis, section 4.4.4.9), and a little more.
	fill = 0.86

	// A part shorter than scrap is worth none, where it can be avoided.
	scrap = 250 * time.Millisecond
)

// frames are those of a rendition: pictures, or units of sound.
type frames struct {
	last  time.Duration // how long each of them does
	video bool          // measured in RTMP's milliseconds, and not always the same
}

// newGrid returns the grid whose step is about want, or a little more, and
// whose parts whole frames fill. segment is how long segments get, 0 when that
// isn't known. all are the frames of its renditions, the leader's first.
func newGrid(want, segment time.Duration, all ...frames) grid {
	for _, f := range all {
		want = max(want, f.last)
	}
	for n := (segment + want/2) / want; n > 0 && segment/n < 2*want; n-- {
		if g, ok := fitted(segment/n, all); ok {
			return g
		}
	}
	lead := all[0].last
	for n := (want + lead/2) / lead; n*lead < 2*want; n++ {
		if g, ok := fitted(n*lead, all); ok {
			return g
		}
	}
	g, _ := fitted(want, all) // frames that differ by much
	return g
}

// looseGrid is for frames of any usual duration.
func looseGrid(want time.Duration) grid {
	const frame = 100 * time.Millisecond
	return grid{step: want + frame/2, target: want + frame}
}

// with returns the grid for segments of that duration that keeps the target, or
// g if there is none.
func (g grid) with(segment time.Duration, all ...frames) grid {
	for n := (segment + g.target - 1) / g.target; n > 0 && float64(segment/n) >= fill*float64(g.target); n++ {
		if f, ok := fitted(segment/n, all); ok && f.target <= g.target {
			if f.target = g.target; f.filled(all) {
				return f
			}
		}
	}
	return g
}

// fitted returns the grid of that step, and whether frames fill its parts.
func fitted(step time.Duration, all []frames) (grid, bool) {
	g := grid{step: step}
	for _, f := range all {
		_, most := g.parts(f)
		g.target = max(g.target, (most + time.Millisecond - 1).Truncate(time.Millisecond))
	}
	return g, g.filled(all)
}

func (g grid) filled(all []frames) bool {
	for _, f := range all {
		if least, _ := g.parts(f); float64(least) < fill*float64(g.target) {
			return false
		}
	}
	return true
}

// parts returns the shortest and the longest part of a rendition.
func (g grid) parts(f frames) (least, most time.Duration) {
	const rounding = 700 * time.Microsecond // of a frame: 33 or 34 ms are a 30th of a second
	n := max(1, (g.step+f.last/2)/f.last)
	off := (g.step - n*f.last).Abs()
	switch {
	case off == 0:
		least, most = g.step, g.step
	case f.video && off <= n*rounding:
		least, most = min(g.step, n*f.last), max(g.step, n*f.last)
	default:
		n = max(1, g.step/f.last)
		least, most = n*f.last, (n+1)*f.last
	}
	if f.video {
		most += gridSlack
	} else {
		most += unitSlack
	}
	return least, most
}

// ends tells whether a part ends before a sample that should last next.
// segment and part are the durations so far.
func (g *grid) ends(segment, part, next time.Duration) bool {
	if !g.mayEnd(part, next) {
		return false
	}
	if part+next > g.target {
		return true
	}
	half := next / 2 // of a sample decides on which side of a line it is
	return (segment+half)/g.step > (segment-part+half)/g.step
}

// mayEnd tells whether a part is long enough to end there, wherever that is in its
// segment.
func (g *grid) mayEnd(part, next time.Duration) bool {
	return g.step > 0 && part != 0 && (part+next > g.target || float64(part) >= fill*float64(g.target))
}

// scrap tells whether a part had better be the beginning of the next segment.
func (g grid) scrap(part time.Duration) bool {
	return part > 0 && part < scrap && float64(part) < fill*float64(g.target)
}
