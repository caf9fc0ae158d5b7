package remux

import "fmt"

// VPX is a configured decoder of VP8 or VP9.
type VPX struct {
	Name     string // vp08 or vp09
	Profile  uint8
	Level    uint8 // ten times the level: 31 is 3.1
	BitDepth uint8
	Chroma   uint8 // chroma_subsampling of the record: 0 and 1 are 4:2:0, 2 is 4:2:2, 3 is 4:4:4
	Picture        // as the newest key frame says, and the record
}

// String is vpNN.PP.LL.DD, and the rest where it isn't what players assume (VP Codec
// ISO Media File Format Binding, "Codecs Parameter String").
func (c *VPX) String() string {
	name := fmt.Sprintf("%s.%02d.%02d.%02d", c.Name, c.Profile, c.Level, c.BitDepth)
	if c.Chroma <= vpColocated && (c.Colour == nil || *c.Colour == bt709) {
		return name
	}
	colour := c.colour()
	return fmt.Sprintf("%s.%02d.%02d.%02d.%02d.%02d", name, c.Chroma,
		colour.Primaries, colour.Transfer, colour.Matrix, colour.rangeFlag())
}

func (c *VPX) kind() Kind { return Video }

func (c *VPX) track() Track { return Track{Timescale: VideoTimescale, Picture: c.Picture} }

func (c *VPX) equal(o Codec) bool {
	d, ok := o.(*VPX)
	return ok && c.same(d, d.colour())
}

// same tells whether a decoder is another one but for its colour, which is that one.
func (c *VPX) same(d *VPX, colour ColourCodes) bool {
	a, b := *c, *d
	a.Colour, b.Colour = nil, nil
	return a == b && c.colour() == colour
}
