package remux

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// Codec is what a decoder must know before the first sample. The set of
// implementations is closed: *H264 and *AAC.
type Codec interface {
	// String is the codec in RFC 6381 form, as playlists and manifests name it.
	String() string
	kind() Kind
	equal(Codec) bool
}

// H264 is a configured H.264 decoder. Its slices must not be modified.
type H264 struct {
	SPS, PPS      [][]byte
	ChromaFormat  uint8        // chroma_format_idc: 1 is 4:2:0
	BitDepth      [2]uint8     // of luma and chroma
	Width, Height int          // displayed pixels, after cropping
	SAR           [2]uint32    // sample aspect ratio; zero when unknown
	FrameRate     Rational     // as the SPS says; zero when it doesn't
	Colour        *ColourCodes // nil when the SPS says nothing
}

// Rational is a fraction; the zero value stands for unknown.
type Rational struct{ Num, Den uint32 }

// ColourCodes are the code points of ISO/IEC 23091-2.
type ColourCodes struct {
	Primaries, Transfer, Matrix uint8
	FullRange                   bool
}

// Bounds of the parameter sets: a configuration record counts them in 5 bits
// and their lengths in 16. No encoder comes near.
const (
	maxParameterSets    = 31
	maxParameterSetSize = 4 << 10
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
	var s h264.SPS
	if err := s.Unmarshal(sps[0]); err != nil {
		return nil, fmt.Errorf("H.264 SPS: %w", err)
	}
	if err := checkSPS(&s); err != nil {
		return nil, fmt.Errorf("H.264 SPS: %w", err)
	}
	c := &H264{
		SPS:          cloneAll(sps),
		PPS:          cloneAll(pps),
		ChromaFormat: uint8(s.ChromaFormatIdc),
		BitDepth:     [2]uint8{uint8(s.BitDepthLumaMinus8) + 8, uint8(s.BitDepthChromaMinus8) + 8},
		Width:        s.Width(),
		Height:       s.Height(),
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > maxDimension || c.Height > maxDimension {
		return nil, fmt.Errorf("H.264 SPS: a picture of %d × %d", c.Width, c.Height)
	}
	if v := s.VUI; v != nil {
		if v.AspectRatioInfoPresentFlag {
			c.SAR = aspectRatio(v, c.Width)
		}
		if v.ColourDescriptionPresentFlag {
			c.Colour = &ColourCodes{v.ColourPrimaries, v.TransferCharacteristics, v.MatrixCoefficients, v.VideoFullRangeFlag}
		}
		if t := v.TimingInfo; t != nil && t.TimeScale > 0 && t.NumUnitsInTick > 0 && t.NumUnitsInTick < 1<<30 &&
			t.TimeScale/(2*t.NumUnitsInTick) < maxFrameRate {
			c.FrameRate = Rational{t.TimeScale, 2 * t.NumUnitsInTick} // a tick is a field
		}
	}
	return c, nil
}

// checkSPS looks at the numbers as they were sent: sums and products of them
// would be taken modulo 2^32, and a picture that is far too large look small.
func checkSPS(s *h264.SPS) error {
	switch {
	case s.PicWidthInMbsMinus1 >= maxMacroblocks || s.PicHeightInMapUnitsMinus1 >= maxMacroblocks:
		return fmt.Errorf("a picture of %d × %d macroblocks", uint64(s.PicWidthInMbsMinus1)+1, uint64(s.PicHeightInMapUnitsMinus1)+1)
	case s.ChromaFormatIdc > maxChromaFormat:
		return fmt.Errorf("chroma format %d", s.ChromaFormatIdc)
	case s.BitDepthLumaMinus8 > maxBitDepth-8 || s.BitDepthChromaMinus8 > maxBitDepth-8:
		return fmt.Errorf("bit depths of %d and %d more than 8", s.BitDepthLumaMinus8, s.BitDepthChromaMinus8)
	case s.MaxNumRefFrames > maxRefFrames:
		return fmt.Errorf("%d reference frames", s.MaxNumRefFrames)
	}
	if c := s.FrameCropping; c != nil && max(c.LeftOffset, c.RightOffset, c.TopOffset, c.BottomOffset) > maxDimension {
		return errors.New("cropping of more than the picture")
	}
	return nil
}

// aspectRatios is table E-1 of H.264.
var aspectRatios = [...][2]uint32{
	1: {1, 1}, 2: {12, 11}, 3: {10, 11}, 4: {16, 11}, 5: {40, 33}, 6: {24, 11}, 7: {20, 11}, 8: {32, 11},
	9: {80, 33}, 10: {18, 11}, 11: {15, 11}, 12: {64, 33}, 13: {160, 99}, 14: {4, 3}, 15: {3, 2}, 16: {2, 1},
}

// aspectRatio is that of a picture so many pixels wide. Headers have 16 bits for
// the width as it is shown: what doesn't fit is nobody's picture.
func aspectRatio(v *h264.SPS_VUI, width int) [2]uint32 {
	const extendedSAR = 255
	switch id := v.AspectRatioIdc; {
	case id == extendedSAR && v.SarWidth > 0 && v.SarHeight > 0:
		if shown := width * int(v.SarWidth) / int(v.SarHeight); shown == 0 || shown > 0xFFFF {
			return [2]uint32{}
		}
		return [2]uint32{uint32(v.SarWidth), uint32(v.SarHeight)}
	case int(id) < len(aspectRatios):
		return aspectRatios[id]
	}
	return [2]uint32{}
}

// String is avc1.PPCCLL (RFC 6381, section 3.3).
func (c *H264) String() string {
	return fmt.Sprintf("avc1.%02x%02x%02x", c.SPS[0][1], c.SPS[0][2], c.SPS[0][3])
}

func (c *H264) kind() Kind { return Video }

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
