package remux

import (
	"cmp"
	"math"

	"github.com/sluice-live/sluice/ingest/amf"
)

// colour is what the encoder says of a picture beside its bitstream (Enhanced RTMP v2,
// "Metadata Frame", colorInfo). It counts more than what the bitstream says. What isn't
// said is zero.
type colour struct {
	codes     ColourCodes // without FullRange
	mastering Mastering
	light     Light
}

// readColour takes the body of a packet of colour. It is false where it says nothing of
// colour at all; what takes back all that was said is the zero colour.
func readColour(body []byte) (c colour, ok bool) {
	values, _ := amf.Decode(body)
	for i := 0; i+1 < len(values); i += 2 {
		if values[i] == any("colorInfo") {
			return colourOf(amf.Properties(values[i+1])), true
		}
	}
	return colour{}, false
}

func colourOf(info amf.Object) (c colour) {
	object := func(name string) amf.Object {
		v, _ := info.Get(name)
		return amf.Properties(v)
	}
	config := object("colorConfig")
	c.codes = ColourCodes{
		Primaries: uint8(whole(config, "colorPrimaries", 1, 255)),
		Transfer:  uint8(whole(config, "transferCharacteristics", 1, 255)),
		Matrix:    uint8(whole(config, "matrixCoefficients", 1, 255)),
	}
	// A matrix of 0 is RGB, which no encoder sends.
	for _, code := range []*uint8{&c.codes.Primaries, &c.codes.Transfer, &c.codes.Matrix} {
		if *code == unspecified.Primaries {
			*code = 0
		}
	}
	if o := object("hdrMdcv"); len(o) > 0 {
		const chromaticity, luminance = 50_000, 10_000
		point := func(x, y string) [2]uint16 {
			return [2]uint16{uint16(whole(o, x, chromaticity, math.MaxUint16)), uint16(whole(o, y, chromaticity, math.MaxUint16))}
		}
		m := Mastering{
			Primaries:    [3][2]uint16{point("greenX", "greenY"), point("blueX", "blueY"), point("redX", "redY")},
			WhitePoint:   point("whitePointX", "whitePointY"),
			MaxLuminance: whole(o, "maxLuminance", luminance, math.MaxUint32),
			MinLuminance: whole(o, "minLuminance", luminance, math.MaxUint32),
		}
		if m.MaxLuminance > 0 {
			c.mastering = m
		}
	}
	if o := object("hdrCll"); len(o) > 0 {
		c.light = Light{MaxCLL: uint16(whole(o, "maxCLL", 1, math.MaxUint16)), MaxFALL: uint16(whole(o, "maxFall", 1, math.MaxUint16))}
	}
	return c
}

// whole is a number times so many, rounded; 0 where it isn't between 0 and most.
func whole(o amf.Object, name string, times float64, most uint32) uint32 {
	n, _ := o.Number(name)
	if n = math.Round(n * times); n > 0 && n <= float64(most) { // false for NaN
		return uint32(n)
	}
	return 0
}

// tell adds to a picture what is said of it. ffmpeg says the codes that it knows, one
// by one, and x265 may know more: each that isn't said is the bitstream's.
func (c *colour) tell(p *Picture) {
	if c.codes != (ColourCodes{}) {
		codes := p.colour()
		codes.Primaries = cmp.Or(c.codes.Primaries, codes.Primaries)
		codes.Transfer = cmp.Or(c.codes.Transfer, codes.Transfer)
		codes.Matrix = cmp.Or(c.codes.Matrix, codes.Matrix)
		p.Colour = &codes
	}
	if c.mastering != (Mastering{}) {
		p.Mastering = new(c.mastering)
	}
	if c.light != (Light{}) {
		p.Light = new(c.light)
	}
}

// Range is the dynamic range of a picture.
type Range uint8

// The ranges that players tell apart, by the transfer characteristics.
const (
	SDR Range = iota
	HLG       // ARIB STD-B67
	PQ        // SMPTE ST 2084
)

func (r Range) String() string { return [...]string{"SDR", "HLG", "PQ"}[r] }

// Range is the dynamic range that the encoder states.
func (p *Picture) Range() Range {
	const pq, hlg = 16, 18 // ISO/IEC 23091-2, table 3
	switch {
	case p.Colour == nil:
	case p.Colour.Transfer == pq:
		return PQ
	case p.Colour.Transfer == hlg:
		return HLG
	}
	return SDR
}

// looks tells whether both are shown with the same colours.
func (p *Picture) looks(o *Picture) bool {
	return sameValue(p.Colour, o.Colour) && sameValue(p.Mastering, o.Mastering) && sameValue(p.Light, o.Light)
}
