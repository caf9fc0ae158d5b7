package remux

import (
	"bytes"
	"errors"
	"fmt"
)

// AV1 is a configured AV1 decoder. Its slices must not be modified.
type AV1 struct {
	Sequence       []byte // the sequence header, an OBU with its size
	Profile        uint8
	Level          uint8 // seq_level_idx of operating point 0
	Tier           uint8
	BitDepth       uint8
	Mono           bool
	SubX, SubY     uint8 // 1 where there is half as much chroma
	ChromaPosition uint8 // chroma_sample_position
	Picture              // as the sequence header says
	sequence       av1Sequence
	payload        []byte // of Sequence
}

// maxAV1Sequence bounds a sequence header: one with all 32 operating points is no
// longer than that.
const maxAV1Sequence = 512

// newAV1 reads the payload of a sequence header, which is copied.
func newAV1(payload []byte) (*AV1, error) {
	if payload = trimSequence(payload); len(payload) > maxAV1Sequence {
		return nil, errors.New("AV1 sequence header: too long")
	}
	s, err := parseAV1Sequence(payload)
	if err != nil {
		return nil, fmt.Errorf("AV1 sequence header: %w", err)
	}
	o := obu{head: []byte{obuSequence << 3}, payload: payload}
	c := &AV1{
		Sequence: o.appendTo(nil),
		Profile:  s.profile, Level: s.level, Tier: s.tier,
		BitDepth: s.colour.depth, Mono: s.colour.mono,
		SubX: s.colour.subX, SubY: s.colour.subY, ChromaPosition: s.colour.samplePosition,
		Picture:  Picture{Width: s.width, Height: s.height, FrameRate: s.frameRate},
		sequence: s,
	}
	c.payload = c.Sequence[len(c.Sequence)-len(o.payload):]
	if codes := s.colour.codes; codes != unspecified {
		c.Colour = &codes
	}
	return c, nil
}

// trimSequence takes away what may be behind the trailing bits.
func trimSequence(payload []byte) []byte { return bytes.TrimRight(payload, "\x00") }

// holds tells whether the decoder is configured by a sequence header with such a
// payload.
func (c *AV1) holds(payload []byte) bool { return bytes.Equal(c.payload, trimSequence(payload)) }

// String is av01.P.LLT.DD, and the rest where it isn't what players assume (AV1
// Codec ISO Media File Format Binding, section 5).
func (c *AV1) String() string {
	tier := 'M'
	if c.Tier == 1 {
		tier = 'H'
	}
	name := fmt.Sprintf("av01.%d.%02d%c.%02d", c.Profile, c.Level, tier, c.BitDepth)
	plain := !c.Mono && c.SubX == 1 && c.SubY == 1 && c.ChromaPosition == 0
	if plain && (c.Colour == nil || *c.Colour == bt709) {
		return name
	}
	mono, colour := 0, c.colour()
	if c.Mono {
		mono = 1
	}
	return fmt.Sprintf("%s.%d.%d%d%d.%02d.%02d.%02d.%d", name, mono, c.SubX, c.SubY, c.ChromaPosition,
		colour.Primaries, colour.Transfer, colour.Matrix, colour.rangeFlag())
}

func (c *AV1) kind() Kind { return Video }

func (c *AV1) track() Track { return Track{Timescale: VideoTimescale, Picture: c.Picture} }

func (c *AV1) equal(o Codec) bool {
	d, ok := o.(*AV1)
	return ok && bytes.Equal(c.Sequence, d.Sequence) && c.SAR == d.SAR && sameValue(c.Mastering, d.Mastering) && sameValue(c.Light, d.Light)
}
