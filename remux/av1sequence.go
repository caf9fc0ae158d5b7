package remux

import (
	"errors"
	"fmt"
)

// av1Sequence is what a sequence header says (AV1, section 5.5).
type av1Sequence struct {
	profile       uint8
	level         uint8 // of operating point 0
	tier          uint8 // … of its; 1 is high
	still         bool  // pictures have no frame header to speak of
	width, height int
	frameRate     Rational
	colour        av1Colour
	frame         av1FrameBits
}

// av1FrameBits is how long the fields of a frame header are, in bits; 0 for those that it
// doesn't have.
type av1FrameBits struct {
	presentation  int // frame_presentation_time
	removal       int // buffer_removal_time
	removals      int // … of which there are so many
	id            int
	width, height int
	order         int
	screenContent bool // a picture chooses its tools for screen content
	forced        bool // … or has them always
	integer       bool // a picture with them chooses integer motion vectors
	superres      bool
}

// av1Colour is color_config (AV1, section 5.5.2).
type av1Colour struct {
	depth          uint8
	mono           bool
	subX, subY     uint8
	samplePosition uint8
	codes          ColourCodes
}

// maxAV1Profile is the last one that there is.
const maxAV1Profile = 2

// parseAV1Sequence reads the payload of an OBU.
func parseAV1Sequence(b []byte) (s av1Sequence, err error) {
	r := bitReader{b: b}
	s.profile = uint8(r.take(3))
	r.flag() // still_picture
	if s.still = r.flag(); s.still {
		s.level = uint8(r.take(5))
	} else {
		s.operating(&r)
	}
	f := &s.frame
	f.width, f.height = int(r.take(4))+1, int(r.take(4))+1
	s.width, s.height = int(r.take(f.width))+1, int(r.take(f.height))+1
	if !s.still && r.flag() {
		f.id = int(r.take(4)) + int(r.take(3)) + 3
	}
	r.take(3) // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
	if !s.still {
		f.tools(&r)
	}
	f.superres = r.flag()
	r.take(2) // enable_cdef, enable_restoration
	s.colour.read(&r, s.profile)
	r.take(1 + 1) // separate_uv_delta_q or film grain, and at least one bit behind it
	switch {
	case r.past():
		return av1Sequence{}, errors.New("cut short")
	case s.profile > maxAV1Profile:
		return av1Sequence{}, fmt.Errorf("profile %d", s.profile)
	case s.width > maxDimension || s.height > maxDimension:
		return av1Sequence{}, fmt.Errorf("a picture of %d × %d", s.width, s.height)
	}
	return s, nil
}

// operating reads timing and operating points.
func (s *av1Sequence) operating(r *bitReader) {
	decoderModel, delayBits := false, 0
	if r.flag() {
		even := s.timing(r)
		if decoderModel = r.flag(); decoderModel {
			delayBits = int(r.take(5)) + 1
			r.take(32) // num_units_in_decoding_tick
			s.frame.removal = int(r.take(5)) + 1
			if presentation := int(r.take(5)) + 1; !even {
				s.frame.presentation = presentation
			}
		}
	}
	displayDelay := r.flag()
	for i := range r.take(5) + 1 {
		layers := r.take(12) // operating_point_idc
		level, tier := uint8(r.take(5)), uint8(0)
		if level > 7 {
			tier = uint8(r.take(1))
		}
		if i == 0 {
			s.level, s.tier = level, tier
		}
		if decoderModel && r.flag() {
			r.take(delayBits)
			r.take(delayBits)
			r.flag()                                  // low_delay_mode_flag
			if layers == 0 || layers&0x101 == 0x101 { // the base layer is in it
				s.frame.removals++
			}
		}
		if displayDelay && r.flag() {
			r.take(4)
		}
	}
}

// timing reads timing_info (AV1, section 5.5.3), and tells whether pictures come at an
// even rate.
func (s *av1Sequence) timing(r *bitReader) (even bool) {
	tick, second := r.take(32), r.take(32)
	if !r.flag() {
		return false
	}
	ticks := uint64(r.ue()) + 1
	if frame := ticks * uint64(tick); frame > 0 && frame < 1<<32 && uint64(second) < maxFrameRate*frame && second > 0 {
		s.frameRate = Rational{second, uint32(frame)}
	}
	return true
}

// tools reads what a decoder may use, as far as it makes frame headers longer.
func (f *av1FrameBits) tools(r *bitReader) {
	r.take(4) // interintra and masked compound, warped motion, dual filter
	order := r.flag()
	if order {
		r.take(2) // jnt_comp, ref_frame_mvs
	}
	if f.screenContent = r.flag(); !f.screenContent {
		f.forced = r.flag()
	}
	if f.screenContent || f.forced {
		if f.integer = r.flag(); !f.integer {
			r.flag()
		}
	}
	if order {
		f.order = int(r.take(3)) + 1
	}
}

func (c *av1Colour) read(r *bitReader, profile uint8) {
	high := r.flag()
	switch {
	case profile == 2 && high && r.flag():
		c.depth = 12
	case high:
		c.depth = 10
	default:
		c.depth = 8
	}
	c.mono = profile != 1 && r.flag()
	const bt709, sRGB, identity = 1, 13, 0
	if c.codes = unspecified; r.flag() {
		c.codes = ColourCodes{Primaries: uint8(r.take(8)), Transfer: uint8(r.take(8)), Matrix: uint8(r.take(8))}
	}
	switch {
	case c.mono:
		c.codes.FullRange = r.flag()
		c.subX, c.subY = 1, 1
		return
	case c.codes == ColourCodes{Primaries: bt709, Transfer: sRGB, Matrix: identity}:
		c.codes.FullRange = true
		return
	}
	c.codes.FullRange = r.flag()
	switch {
	case profile == 0:
		c.subX, c.subY = 1, 1
	case profile == 1:
	case c.depth < 12:
		c.subX = 1
	default:
		if c.subX = uint8(r.take(1)); c.subX == 1 {
			c.subY = uint8(r.take(1))
		}
	}
	if c.subX == 1 && c.subY == 1 {
		c.samplePosition = uint8(r.take(2))
	}
}
