package remux

// bitReader takes numbers out of b, the most significant bit first. Behind the
// end it reads zeros and says so.
type bitReader struct {
	b   []byte
	pos int // in bits
}

func (r *bitReader) take(n int) (v uint32) {
	for range n {
		v <<= 1
		if at := r.pos >> 3; at < len(r.b) {
			v |= uint32(r.b[at]>>(7-r.pos&7)) & 1
		}
		r.pos++
	}
	return v
}

func (r *bitReader) flag() bool { return r.take(1) == 1 }

// align skips to the next byte.
func (r *bitReader) align() { r.pos = (r.pos + 7) &^ 7 }

// past tells whether more was taken than there is.
func (r *bitReader) past() bool { return r.pos > 8*len(r.b) }

// bitWriter is the other side.
type bitWriter struct {
	b    []byte
	free int // bits of the last byte that are not written yet
}

func (w *bitWriter) put(v uint32, n int) {
	for n--; n >= 0; n-- {
		if w.free == 0 {
			w.b, w.free = append(w.b, 0), 8
		}
		w.free--
		w.b[len(w.b)-1] |= byte(v>>n&1) << w.free
	}
}

func (w *bitWriter) flag(v bool) {
	if v {
		w.put(1, 1)
	} else {
		w.put(0, 1)
	}
}

// ue and se take Exp-Golomb numbers (H.264, section 9.1). One of more than 32
// bits is none: it leads past the end.
func (r *bitReader) ue() uint32 {
	zeros := 0
	for r.take(1) == 0 {
		if zeros++; zeros > 31 || r.past() {
			r.pos = 8*len(r.b) + 1
			return 0
		}
	}
	return uint32(uint64(1)<<zeros + uint64(r.take(zeros)) - 1)
}

func (r *bitReader) se() int32 {
	v := r.ue()
	if v&1 == 1 {
		return int32(v/2) + 1
	}
	return -int32(v / 2)
}
