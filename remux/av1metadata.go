package remux

import "encoding/binary"

// Types of metadata OBUs (AV1, section 6.7.1).
const (
	metadataLight     = 1
	metadataMastering = 2
)

// with is the decoder with what a key frame, and metadata OBUs, say of the picture. Of the
// latter counts what isn't known yet: encoders repeat it. Where they say nothing new, it is
// the decoder itself.
func (c *AV1) with(u *temporalUnit) *AV1 {
	p := c.Picture
	if c.joins(u.frame) {
		p.SAR = c.sequence.aspectRatio(u.frame)
	}
	for _, m := range u.metadata {
		kind, n := leb128(m)
		switch b := m[n:]; {
		case kind == metadataLight && len(b) >= 4 && p.Light == nil:
			p.Light = &Light{MaxCLL: binary.BigEndian.Uint16(b), MaxFALL: binary.BigEndian.Uint16(b[2:])}
		case kind == metadataMastering && len(b) >= 24 && p.Mastering == nil:
			p.Mastering = av1Mastering(b)
		}
	}
	if p == c.Picture {
		return c
	}
	d := *c
	d.Picture = p
	return &d
}

// av1Mastering reads metadata_hdr_mdcv (AV1, section 6.7.4): red, green and blue in
// 1/65536, and luminance in 1/256 and 1/16384 cd/m².
func av1Mastering(b []byte) *Mastering {
	xy := func(i int) [2]uint16 {
		return [2]uint16{chromaticity(binary.BigEndian.Uint16(b[4*i:])), chromaticity(binary.BigEndian.Uint16(b[4*i+2:]))}
	}
	return &Mastering{
		Primaries:    [3][2]uint16{xy(1), xy(2), xy(0)},
		WhitePoint:   xy(3),
		MaxLuminance: luminance(binary.BigEndian.Uint32(b[16:]), 8),
		MinLuminance: luminance(binary.BigEndian.Uint32(b[20:]), 14),
	}
}

// chromaticity turns 1/65536 into units of 0.00002.
func chromaticity(v uint16) uint16 { return uint16((uint32(v)*50000 + 1<<15) >> 16) }

// luminance turns a number with so many bits of fraction into units of 0.0001.
func luminance(v uint32, fraction int) uint32 {
	return uint32(min((uint64(v)*10000+1<<(fraction-1))>>fraction, 1<<32-1))
}
