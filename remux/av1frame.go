package remux

// aspectRatio reads the beginning of an uncompressed header (AV1, section 5.9.2), as far as
// it says how wide samples are. It must be that of a key frame that is shown, in a stream
// with that sequence header.
func (s *av1Sequence) aspectRatio(header []byte) [2]uint32 {
	if s.still {
		return [2]uint32{}
	}
	r, f := bitReader{b: header}, &s.frame
	r.take(1 + 2 + 1) // show_existing_frame, frame_type, show_frame
	r.take(f.presentation)
	r.flag() // disable_cdf_update
	if screenContent := f.forced || f.screenContent && r.flag(); screenContent && f.integer {
		r.flag()
	}
	r.take(f.id)
	resized := r.flag()
	r.take(f.order)
	if f.removal > 0 && r.flag() {
		for range f.removals {
			r.take(f.removal)
		}
	}
	width, height := s.width, s.height
	if resized {
		width, height = int(r.take(f.width))+1, int(r.take(f.height))+1
	}
	if f.superres && r.flag() {
		r.take(3)
	}
	if !r.flag() {
		return [2]uint32{}
	}
	render := [2]int{int(r.take(16)) + 1, int(r.take(16)) + 1}
	if r.past() {
		return [2]uint32{}
	}
	return shownBy(s.width, scaled(width, height, render)) // a frame may be smaller than its sequence
}
