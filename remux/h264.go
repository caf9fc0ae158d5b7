package remux

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// H264 is a configured H.264 decoder. Its slices must not be modified.
type H264 struct {
	SPS, PPS     [][]byte
	ChromaFormat uint8    // chroma_format_idc: 1 is 4:2:0
	BitDepth     [2]uint8 // of luma and chroma
	Picture               // as the SPS says
}

// Bounds of the parameter sets: a configuration record counts them in 5 bits
// and their lengths in 16. No encoder comes near.
const (
	maxParameterSets    = 31
	maxParameterSetSize = 4 << 10
)

// newH264 reads the parameter sets that a stream is decoded with.
func newH264(sps, pps [][]byte) (*H264, error) {
	if len(sps) == 0 || len(pps) == 0 {
		return nil, errors.New("H.264 without SPS or PPS")
	}
	for _, sets := range [][][]byte{sps, pps} {
		if len(sets) > maxParameterSets || slices.ContainsFunc(sets, func(b []byte) bool { return len(b) > maxParameterSetSize }) {
			return nil, errors.New("H.264 parameter sets: too many or too long")
		}
	}
	first := unescape(sps[0])
	s, err := parseSPS(first)
	if err != nil {
		return nil, fmt.Errorf("H.264 SPS: %w", err)
	}
	c := &H264{
		SPS:          cloneAll(sps),
		PPS:          cloneAll(pps),
		ChromaFormat: uint8(s.chroma),
		BitDepth:     [2]uint8{uint8(s.depth[0]) + 8, uint8(s.depth[1]) + 8},
		Picture:      Picture{FrameRate: s.vui.frameRate(2), Colour: s.vui.colour}, // a tick is a field
	}
	if c.Width, c.Height = s.size(); c.Width <= 0 || c.Height <= 0 || c.Width > maxDimension || c.Height > maxDimension {
		return nil, fmt.Errorf("H.264 SPS: a picture of %d × %d", c.Width, c.Height)
	}
	c.SAR = s.vui.aspectRatio(c.Width)
	return c, nil
}

// String is avc1.PPCCLL (RFC 6381, section 3.3).
func (c *H264) String() string {
	return fmt.Sprintf("avc1.%02x%02x%02x", c.SPS[0][1], c.SPS[0][2], c.SPS[0][3])
}

// odd is what players make of it.
func (c *H264) odd() error {
	if c.ChromaFormat > 1 || c.BitDepth != [2]uint8{8, 8} {
		return errAVCFormat
	}
	return nil
}

func (c *H264) kind() Kind { return Video }

func (c *H264) track() Track { return Track{Timescale: VideoTimescale, Picture: c.Picture} }

func (c *H264) equal(o Codec) bool {
	d, ok := o.(*H264)
	return ok && equalAll(c.SPS, d.SPS) && equalAll(c.PPS, d.PPS)
}

func cloneAll(list [][]byte) [][]byte {
	out := make([][]byte, len(list))
	for i, b := range list {
		out[i] = bytes.Clone(b)
	}
	return out
}

func equalAll(a, b [][]byte) bool {
	return slices.EqualFunc(a, b, bytes.Equal)
}
