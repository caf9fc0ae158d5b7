package remux

import "testing"

// TestScaled: pixels are as wide as the size that a picture should be scaled to says.
func TestScaled(t *testing.T) {
	for _, c := range []struct {
		width, height int
		to            [2]int
		want          [2]uint32
	}{
		{720, 576, [2]int{1024, 576}, [2]uint32{64, 45}},
		{1440, 1080, [2]int{1920, 1080}, [2]uint32{4, 3}},
		{1280, 720, [2]int{1280, 720}, [2]uint32{}},
		{853, 480, [2]int{854, 480}, [2]uint32{}}, // a rounding
		{640, 360, [2]int{1280, 720}, [2]uint32{}},
		{16384, 1, [2]int{65536, 1}, [2]uint32{}}, // no field holds that
		{16384, 65536, [2]int{1, 65536}, [2]uint32{1, 16384}},
		{1, 65536, [2]int{1, 1}, [2]uint32{}},
	} {
		if got := scaled(c.width, c.height, c.to); got != c.want {
			t.Errorf("%d × %d as %v: %v", c.width, c.height, c.to, got)
		}
	}
}
