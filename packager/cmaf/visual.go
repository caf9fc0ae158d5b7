package cmaf

import (
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/remux"
)

// visual is a sample entry for pictures: the configuration box of the codec, and what
// is the same for all of them. The picture is the track's: its colours are not always
// those of the bitstream.
func visual(name string, p *remux.Picture, rate *mp4.BtrtBox, config mp4.Box) *mp4.VisualSampleEntryBox {
	entry := mp4.CreateVisualSampleEntryBox(name, uint16(p.Width), uint16(p.Height), config)
	if c := p.Colour; c != nil {
		entry.AddChild(&mp4.ColrBox{
			ColorType:               mp4.ColorTypeOnScreenColors,
			ColorPrimaries:          uint16(c.Primaries),
			TransferCharacteristics: uint16(c.Transfer),
			MatrixCoefficients:      uint16(c.Matrix),
			FullRangeFlag:           c.FullRange,
		})
	}
	if m := p.Mastering; m != nil {
		g, b, r := m.Primaries[0], m.Primaries[1], m.Primaries[2]
		entry.AddChild(mp4.CreateMdcvBox([3]uint16{g[0], b[0], r[0]}, [3]uint16{g[1], b[1], r[1]},
			m.WhitePoint[0], m.WhitePoint[1], m.MaxLuminance, m.MinLuminance))
	}
	if l := p.Light; l != nil {
		entry.AddChild(mp4.CreateClliBox(l.MaxCLL, l.MaxFALL))
	}
	if p.SAR[0] > 0 && p.SAR[1] > 0 {
		entry.AddChild(&mp4.PaspBox{HSpacing: p.SAR[0], VSpacing: p.SAR[1]})
	}
	entry.AddChild(rate)
	return entry
}
