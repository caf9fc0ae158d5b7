package remux

import (
	"errors"
	"fmt"
)

// Bounds of what an SPS may say (H.264, annex A and section 7.4.2.1.1).
const (
	maxDimension    = 16384 // pixels; level 6.2 ends well below
	maxMacroblocks  = maxDimension / 16
	maxRefFrames    = 16
	maxChromaFormat = 3
	maxBitDepth     = 14
	maxFrameRate    = 1000 // a second; what is more is no rate, but a mistake
)

// sps is what a sequence parameter set says (H.264, section 7.3.2.1.1).
type sps struct {
	chroma        uint32
	separate      bool      // colour planes
	depth         [2]uint32 // bits of luma and chroma, less 8
	refFrames     uint32
	width, height uint32 // macroblocks; of a field, where frames may be fields
	framesOnly    bool
	crop          [4]uint32 // left, right, top, bottom

	vui   vui
	vuiAt int  // bit of the flag that tells of VUI, in the unescaped set
	cut   bool // the set ends inside its VUI
}

// vui is video usability information (H.264, section E.1.1): all of it optional.
type vui struct {
	aspect    uint32 // index of aspectRatios, or extendedSAR
	sar       [2]uint32
	colour    *ColourCodes
	tick      uint32
	timescale uint32 // ticks in a second
}

// parseSPS reads a set without its emulation prevention bytes.
func parseSPS(b []byte) (*sps, error) {
	const header = 4 // NAL unit type, profile, constraints, level
	if len(b) < header {
		return nil, errors.New("cut short")
	}
	r := bitReader{b: b, pos: 8 * header}
	r.ue() // id
	s := &sps{chroma: 1}
	switch b[1] {
	case 44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244:
		if s.chroma = r.ue(); s.chroma == 3 {
			s.separate = r.flag()
		}
		s.depth = [2]uint32{r.ue(), r.ue()}
		r.flag()      // lossless
		if r.flag() { // scaling matrices
			skipScaling(&r, s.chroma)
		}
	}
	r.ue() // frame_num
	switch method := r.ue(); method {
	case 0:
		r.ue()
	case 1:
		r.flag()
		r.ue()
		r.ue()
		offsets := r.ue()
		if offsets > 255 {
			return nil, fmt.Errorf("num_ref_frames_in_pic_order_cnt_cycle is %d", offsets)
		}
		for range offsets {
			r.ue()
		}
	case 2:
	default:
		return nil, fmt.Errorf("pic_order_cnt_type %d", method)
	}
	s.refFrames = r.ue()
	r.flag() // gaps in frame_num
	s.width, s.height = r.ue(), r.ue()
	if s.framesOnly = r.flag(); !s.framesOnly {
		r.flag() // adaptive
	}
	r.flag() // direct_8x8_inference
	if r.flag() {
		s.crop = [4]uint32{r.ue(), r.ue(), r.ue(), r.ue()}
	}
	s.vuiAt = r.pos
	present := r.flag()
	if r.past() {
		return nil, errors.New("cut short")
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.width++
	s.height++
	if present {
		v, whole := parseVUI(r)
		if s.cut = !whole; whole {
			s.vui = v
		}
	}
	return s, nil
}

// check looks at the numbers as they were sent: sums and products of them
// would be taken modulo 2^32, and a picture that is far too large look small.
func (s *sps) check() error {
	switch {
	case s.width >= maxMacroblocks || s.height >= maxMacroblocks:
		return fmt.Errorf("a picture of %d × %d macroblocks", uint64(s.width)+1, uint64(s.height)+1)
	case s.chroma > maxChromaFormat:
		return fmt.Errorf("chroma format %d", s.chroma)
	case max(s.depth[0], s.depth[1]) > maxBitDepth-8:
		return fmt.Errorf("bit depths of %d and %d more than 8", s.depth[0], s.depth[1])
	case s.refFrames > maxRefFrames:
		return fmt.Errorf("%d reference frames", s.refFrames)
	case max(s.crop[0], s.crop[1], s.crop[2], s.crop[3]) > maxDimension:
		return errors.New("cropping of more than the picture")
	}
	return nil
}

// cropStep is how many pixels a step of cropping is, across and down.
func cropStep(chroma uint32) (x, y int) {
	switch chroma {
	case 1:
		return 2, 2
	case 2:
		return 2, 1
	}
	return 1, 1
}

// size is what is shown, in pixels.
func (s *sps) size() (width, height int) {
	x, y := cropStep(s.chroma)
	fields := 1
	if !s.framesOnly {
		fields = 2
	}
	width = 16*int(s.width) - x*int(s.crop[0]+s.crop[1])
	height = fields * (16*int(s.height) - y*int(s.crop[2]+s.crop[3]))
	return width, height
}

// skipScaling passes over scaling matrices (H.264, section 7.3.2.1.1.1).
func skipScaling(r *bitReader, chroma uint32) {
	lists := 8
	if chroma == 3 {
		lists = 12
	}
	for i := range lists {
		if !r.flag() {
			continue
		}
		size := 16
		if i >= 6 {
			size = 64
		}
		last, next := int32(8), int32(8)
		for range size {
			if next != 0 {
				next = (last + r.se() + 256) & 255
			}
			if next != 0 {
				last = next
			}
		}
	}
}

// parseVUI tells whether all of it is there. r is at its beginning.
func parseVUI(r bitReader) (v vui, whole bool) {
	v.begin(&r)
	if r.flag() {
		v.tick, v.timescale = r.take(32), r.take(32)
		r.flag() // fixed_frame_rate
	}
	hrds := 0
	for range 2 { // of NAL units, of VCL units
		if !r.flag() {
			continue
		}
		hrds++
		buffers := r.ue()
		r.take(4 + 4)
		for i := uint32(0); i <= min(buffers, 31); i++ {
			r.ue()
			r.ue()
			r.flag()
		}
		r.take(5 + 5 + 5 + 5)
	}
	if hrds > 0 {
		r.flag() // low_delay_hrd
	}
	r.flag() // pic_struct
	if r.flag() {
		r.flag()
		for range 6 {
			r.ue()
		}
	}
	return v, r.pos < 8*len(r.b) && r.pos <= stopBit(r.b)
}

// begin reads what VUI of H.264 and of HEVC begins with: what pixels look like.
func (v *vui) begin(r *bitReader) {
	if r.flag() {
		if v.aspect = r.take(8); v.aspect == extendedSAR {
			v.sar = [2]uint32{r.take(16), r.take(16)}
		}
	}
	if r.flag() { // overscan
		r.flag()
	}
	if r.flag() {
		r.take(3) // video_format
		full := r.flag()
		if r.flag() {
			v.colour = &ColourCodes{uint8(r.take(8)), uint8(r.take(8)), uint8(r.take(8)), full}
		}
	}
	if r.flag() { // where chroma samples are
		r.ue()
		r.ue()
	}
}

// stopBit is where the payload of a parameter set ends: at the last bit that is
// set.
func stopBit(b []byte) int {
	for i := 8*len(b) - 1; i >= 0; i-- {
		if b[i>>3]>>(7-i&7)&1 == 1 {
			return i
		}
	}
	return -1
}

// withoutVUI is an SPS that ends where its VUI would begin, after so many bits and the
// flag that tells of it. b is unescaped. flags are those behind it, all clear.
func withoutVUI(b []byte, vuiAt, flags int) []byte {
	var w bitWriter
	r := bitReader{b: b}
	for r.pos < vuiAt {
		w.put(r.take(1), 1)
	}
	w.put(0, 1+flags) // vui_parameters_present_flag
	w.put(1, 1)       // rbsp_stop_one_bit
	return escape(w.b)
}

// aspectRatios is table E-1 of H.264.
var aspectRatios = [...][2]uint32{
	1: {1, 1}, 2: {12, 11}, 3: {10, 11}, 4: {16, 11}, 5: {40, 33}, 6: {24, 11}, 7: {20, 11}, 8: {32, 11},
	9: {80, 33}, 10: {18, 11}, 11: {15, 11}, 12: {64, 33}, 13: {160, 99}, 14: {4, 3}, 15: {3, 2}, 16: {2, 1},
}

// extendedSAR stands for an aspect ratio in numbers.
const extendedSAR = 255

// aspectRatio is that of a picture so many pixels wide. Headers have 16 bits for
// the width as it is shown: what doesn't fit is nobody's picture.
func (v *vui) aspectRatio(width int) [2]uint32 {
	switch {
	case v.aspect == extendedSAR:
		return shownBy(width, v.sar)
	case int(v.aspect) < len(aspectRatios):
		return aspectRatios[v.aspect]
	}
	return [2]uint32{}
}

// frameRate is that of frames of so many ticks, zero where nothing is said that can be
// true.
func (v *vui) frameRate(ticks uint32) Rational {
	if v.timescale == 0 || v.tick == 0 || v.tick >= 1<<30 || v.timescale/(ticks*v.tick) >= maxFrameRate {
		return Rational{}
	}
	return Rational{v.timescale, ticks * v.tick}
}

// unescape takes out the bytes that keep start codes out of a NAL unit (H.264,
// section 7.4.1).
func unescape(nal []byte) []byte {
	out := make([]byte, 0, len(nal))
	zeros := 0
	for _, b := range nal {
		if zeros >= 2 && b == 3 {
			zeros = 0
			continue
		}
		if out = append(out, b); b == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}

// escape puts them in.
func escape(b []byte) []byte {
	out := make([]byte, 0, len(b)+2)
	zeros := 0
	for _, v := range b {
		if zeros == 2 && v <= 3 {
			out, zeros = append(out, 3), 0
		}
		if out = append(out, v); v == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}
