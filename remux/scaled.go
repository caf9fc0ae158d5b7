package remux

// scaled is the aspect ratio of samples of a picture that should be scaled to a size; zero
// where that leaves its shape as it is.
func scaled(width, height int, to [2]int) [2]uint32 {
	x, y := int64(to[0])*int64(height), int64(to[1])*int64(width)
	if off := max(x-y, y-x); off <= y/100 {
		return [2]uint32{}
	}
	a, b := x, y
	for b > 0 {
		a, b = b, a%b
	}
	x, y = x/a, y/a
	if max(x, y) >= 1<<32 {
		return [2]uint32{}
	}
	return shownBy(width, [2]uint32{uint32(x), uint32(y)})
}

// shownBy is the aspect ratio of samples, or zero where a picture of that width would be wider than
// headers can say: they have 16 bits for its width as it is shown.
func shownBy(width int, sar [2]uint32) [2]uint32 {
	if sar[0] == 0 || sar[1] == 0 {
		return [2]uint32{}
	}
	if shown := int64(width) * int64(sar[0]) / int64(sar[1]); shown == 0 || shown > 0xFFFF {
		return [2]uint32{}
	}
	return sar
}
