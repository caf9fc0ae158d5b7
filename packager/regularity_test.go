package packager

import (
	"testing"
	"time"
)

// TestRegularity: what was foreseen wrongly is foreseen again only when more
// segments than could be by chance were alike.
func TestRegularity(t *testing.T) {
	const frame = 40 * time.Millisecond
	even := func(n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = 2
		}
		return out
	}
	with := func(lists ...[]float64) (out []float64) {
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	for _, tt := range []struct {
		name     string
		from     regularity
		segments []float64 // s
		sure     bool
	}{
		{"nothing is known", regularity{}, even(1), false},
		{"two alike", regularity{}, even(2), true},
		{"two alike but for a frame", regularity{}, []float64{2, 2.04}, true},
		{"the encoder says so", told(2 * time.Second), nil, true},
		{"and keeps to it", told(2 * time.Second), even(3), true},
		{"or not", told(2 * time.Second), []float64{1.2}, false},
		{"a miss, and two alike by chance", regularity{}, with(even(4), []float64{1.2, 1.2}), false},
		{"a miss, and the old regularity again", regularity{}, with(even(4), []float64{1.2}, even(4)), false},
		{"for five segments", regularity{}, with(even(4), []float64{1.2}, even(5)), true},
		{"a second miss", regularity{}, with(even(4), []float64{1.2}, even(5), []float64{1.2}, even(16)), false},
		{"long ago", regularity{}, with(even(4), []float64{1.2}, even(5), []float64{1.2}, even(17)), true},
		{"misses while nothing is promised cost nothing", regularity{}, with([]float64{2, 1, 2, 1, 2, 1}, even(2)), true},
	} {
		r := tt.from
		for _, s := range tt.segments {
			r.note(time.Duration(s*float64(time.Second)), frame)
		}
		if r.sure != tt.sure {
			t.Errorf("%s: sure is %v", tt.name, r.sure)
		}
	}
}
