package remux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// H265 is a configured HEVC decoder. Its slices must not be modified.
type H265 struct {
	VPS, SPS, PPS [][]byte

	// General is profile space, tier and profile (a byte), compatibility flags (4),
	// constraint flags (6) and level, as the first SPS has them.
	General      [12]byte
	SubLayers    uint8    // temporal ones
	Nested       bool     // sps_temporal_id_nesting_flag
	Segmentation uint16   // min_spatial_segmentation_idc, 0 where that is unknown
	ChromaFormat uint8    // chroma_format_idc: 1 is 4:2:0
	BitDepth     [2]uint8 // of luma and chroma
	Picture               // as parameter sets and SEI messages say
}

// newH265 reads the parameter sets that a stream is decoded with.
func newH265(sets hevcSets) (*H265, error) {
	for _, list := range sets {
		if len(list) == 0 {
			return nil, errors.New("HEVC without VPS, SPS or PPS")
		}
		if len(list) > maxParameterSets || slices.ContainsFunc(list, func(b []byte) bool { return len(b) > maxParameterSetSize }) {
			return nil, errors.New("HEVC parameter sets: too many or too long")
		}
	}
	s, err := parseHEVCSPS(unescape(sets[hevcSPS][0]))
	if err != nil {
		return nil, fmt.Errorf("HEVC SPS: %w", err)
	}
	c := &H265{
		VPS: cloneAll(sets[hevcVPS]), SPS: cloneAll(sets[hevcSPS]), PPS: cloneAll(sets[hevcPPS]),
		General:      s.general,
		SubLayers:    uint8(s.subLayers),
		Nested:       s.nested,
		Segmentation: uint16(s.segmentation),
		ChromaFormat: uint8(s.chroma),
		BitDepth:     [2]uint8{uint8(s.depth[0]) + 8, uint8(s.depth[1]) + 8},
		Picture:      Picture{FrameRate: s.vui.frameRate(1), Colour: s.vui.colour},
	}
	if c.Width, c.Height = s.size(); c.Width <= 0 || c.Height <= 0 || c.Width > maxDimension || c.Height > maxDimension {
		return nil, fmt.Errorf("HEVC SPS: a picture of %d × %d", c.Width, c.Height)
	}
	c.SAR = s.vui.aspectRatio(c.Width)
	if c.FrameRate.Num == 0 { // some encoders say it there
		c.FrameRate = vpsFrameRate(unescape(c.VPS[0]))
	}
	return c, nil
}

func (c *H265) sets() hevcSets { return hevcSets{c.VPS, c.SPS, c.PPS} }

// with is the decoder with what SEI messages say that isn't known yet. Where they say
// nothing new, it is the decoder itself.
func (c *H265) with(h hdr) *H265 {
	p := c.Picture
	if h.tell(&p); p == c.Picture {
		return c
	}
	d := *c
	d.Picture = p
	return &d
}

// String is hvc1 with profile, compatibility, tier, level and constraints (ISO/IEC
// 14496-15, section E.3).
func (c *H265) String() string {
	b := append([]byte("hvc1."), [...]string{"", "A", "B", "C"}[c.General[0]>>6]...)
	b = fmt.Appendf(b, "%d.%X.", c.General[0]&0x1F, bits.Reverse32(binary.BigEndian.Uint32(c.General[1:])))
	b = append(b, "LH"[c.General[0]>>5&1])
	b = fmt.Appendf(b, "%d", c.General[11])
	for _, v := range bytes.TrimRight(c.General[5:11], "\x00") {
		b = fmt.Appendf(b, ".%X", v)
	}
	return string(b)
}

// odd is what browsers make of it.
func (c *H265) odd() error {
	const main, still = 1, 3 // and Main 10 between them (H.265, section A.3)
	if profile := c.General[0] & 0x1F; profile < main || profile > still {
		return errHEVCProfile
	}
	return errHEVC
}

func (c *H265) kind() Kind { return Video }

func (c *H265) track() Track { return Track{Timescale: VideoTimescale, Picture: c.Picture} }

func (c *H265) equal(o Codec) bool {
	d, ok := o.(*H265)
	return ok && equalAll(c.VPS, d.VPS) && equalAll(c.SPS, d.SPS) && equalAll(c.PPS, d.PPS) &&
		sameValue(c.Mastering, d.Mastering) && sameValue(c.Light, d.Light)
}
