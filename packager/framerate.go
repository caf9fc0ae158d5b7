package packager

import (
	"math"

	"github.com/sluice-live/sluice/remux"
)

// measureFrameRate counts a segment's frames. What the parameter sets say is
// believed where it agrees with that; they often say something else.
func measureFrameRate(s *Segment) remux.Rational {
	if s.Header.Track.Kind() != remux.Video || s.Duration == 0 {
		return remux.Rational{}
	}
	const agrees, usual = 0.02, 0.005
	measured := float64(s.Samples) / s.Seconds()
	if stated := s.Header.Track.Picture.FrameRate; stated.Den > 0 && math.Abs(float64(stated.Num)/float64(stated.Den)/measured-1) < agrees {
		return reduce(stated)
	}
	if r, ok := remux.UsualRate(measured, usual); ok {
		return r
	}
	return reduce(remux.Rational{Num: uint32(math.Round(measured * 1000)), Den: 1000})
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
