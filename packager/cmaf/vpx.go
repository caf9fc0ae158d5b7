package cmaf

import (
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/remux"
)

// vpx is a sample entry by the VP Codec ISO Media File Format Binding.
func vpx(c *remux.VPX, p *remux.Picture, rate *mp4.BtrtBox) mp4.Box {
	colour := p.Colour
	if colour == nil {
		colour = &remux.ColourCodes{Primaries: 2, Transfer: 2, Matrix: 2}
	}
	entry := visual(c.Name, p, rate, &mp4.VppCBox{
		Version:                 1,
		Profile:                 c.Profile,
		Level:                   c.Level,
		BitDepth:                c.BitDepth,
		ChromaSubsampling:       c.Chroma,
		VideoFullRangeFlag:      bit(colour.FullRange),
		ColourPrimaries:         colour.Primaries,
		TransferCharacteristics: colour.Transfer,
		MatrixCoefficients:      colour.Matrix,
	})
	entry.CompressorName = "VPC Coding"
	return entry
}
