package packager

import (
	"testing"

	"github.com/sluice-live/sluice/remux"
)

// TestPeak: a keyframe and little else, as where an encoder is lost behind one, has a rate
// that no player ever needs.
func TestPeak(t *testing.T) {
	type segment struct {
		bytes   int
		seconds float64
	}
	whole, scrap := segment{250_000, 2}, segment{60_000, 0.2} // 1 and 2.4 Mbit/s
	for name, c := range map[string]struct {
		segments []segment
		want     int
	}{
		"nothing":                 {nil, 0},
		"whole":                   {[]segment{whole, whole}, 1_000_000},
		"a scrap is all there is": {[]segment{scrap}, 2_400_000},
		"a scrap first":           {[]segment{scrap, whole}, 1_127_272},
		"a scrap last":            {[]segment{whole, scrap}, 1_127_272},
		"scraps":                  {[]segment{whole, scrap, scrap, whole}, 1_233_333},
		"a short one that counts": {[]segment{whole, {200_000, 1}}, 1_600_000},
		"without a duration":      {[]segment{whole, {60_000, 0}}, 1_000_000},
	} {
		var r rate
		for _, s := range c.segments {
			r.add(s.bytes, s.seconds, 2)
		}
		if got := r.highest(); got != c.want {
			t.Errorf("%s: %d bit/s, want %d", name, got, c.want)
		}
	}
}

// TestBandwidth: until much was measured, players are told what the encoder says of itself,
// so that what was told to those who began with a still picture holds.
func TestBandwidth(t *testing.T) {
	for name, c := range map[string]struct {
		stated        int
		peak, average int
		measured      float64
		want          [2]int
	}{
		"nothing is stated":         {0, 90_000, 80_000, 2, [2]int{90_000, 80_000}},
		"it begins with little":     {3_000_000, 90_000, 80_000, 3, [2]int{3_300_000, 2_708_000}},
		"it begins with more":       {1_000_000, 2_000_000, 1_500_000, 15, [2]int{2_000_000, 1_250_000}},
		"much was measured":         {3_000_000, 90_000, 80_000, 30, [2]int{90_000, 80_000}},
		"nothing was measured":      {3_000_000, 0, 0, 0, [2]int{3_300_000, 3_000_000}},
		"a metadatum without sense": {-1, 90_000, 80_000, 2, [2]int{90_000, 80_000}},
	} {
		r := Rendition{Header: &Header{Track: remux.Track{Bitrate: c.stated}}, Peak: c.peak, Average: c.average, Measured: c.measured}
		if peak, average := r.Bandwidth(); [2]int{peak, average} != c.want {
			t.Errorf("%s: %d and %d bit/s, want %v", name, peak, average, c.want)
		}
	}
	if peak, average := (&Rendition{}).Bandwidth(); peak != 0 || average != 0 {
		t.Errorf("%d and %d bit/s of nothing", peak, average)
	}
}
