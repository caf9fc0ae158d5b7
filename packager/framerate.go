package packager

import (
	"math"

	"github.com/sluice-live/sluice/remux"
)

// standardRates are those that cameras and encoders have.
var standardRates = []remux.Rational{
	{Num: 24000, Den: 1001}, {Num: 24, Den: 1}, {Num: 25, Den: 1}, {Num: 30000, Den: 1001}, {Num: 30, Den: 1},
	{Num: 50, Den: 1}, {Num: 60000, Den: 1001}, {Num: 60, Den: 1}, {Num: 15, Den: 1}, {Num: 120, Den: 1},
}

// measureFrameRate counts a segment's frames. What the parameter sets say is
// believed where it agrees with that; they often say something else.
func measureFrameRate(s *Segment) remux.Rational {
	if s.Header.Track.Kind() != remux.Video || s.Duration == 0 {
		return remux.Rational{}
	}
	measured := float64(s.Samples) / s.Seconds()
	near := func(r remux.Rational, tolerance float64) bool {
		return r.Den > 0 && math.Abs(float64(r.Num)/float64(r.Den)/measured-1) < tolerance
	}
	if stated := s.Header.Track.Picture.FrameRate; near(stated, 0.02) {
		return reduce(stated)
	}
	best := remux.Rational{Num: uint32(math.Round(measured * 1000)), Den: 1000}
	closest := 0.005
	for _, r := range standardRates {
		if near(r, closest) {
			best, closest = r, math.Abs(float64(r.Num)/float64(r.Den)/measured-1)
		}
	}
	return reduce(best)
}

func reduce(r remux.Rational) remux.Rational {
	a, b := r.Num, r.Den
	for b > 0 {
		a, b = b, a%b
	}
	if a == 0 {
		return r
	}
	return remux.Rational{Num: r.Num / a, Den: r.Den / a}
}
