package cmaf

import (
	"encoding/binary"

	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/remux"
)

// hvc1 fills the configuration record itself, as avc1 does. All parameter sets are in it: the
// samples have none.
func hvc1(c *remux.H265, p *remux.Picture, rate *mp4.BtrtBox) mp4.Box {
	be := binary.BigEndian
	g := c.General
	nested := byte(0)
	if c.Nested {
		nested = 1
	}
	const complete = true
	return visual("hvc1", p, rate, &mp4.HvcCBox{DecConfRec: hevc.DecConfRec{
		ConfigurationVersion:             1,
		GeneralProfileSpace:              g[0] >> 6,
		GeneralTierFlag:                  g[0]>>5&1 == 1,
		GeneralProfileIDC:                g[0] & 0x1F,
		GeneralProfileCompatibilityFlags: be.Uint32(g[1:]),
		GeneralConstraintIndicatorFlags:  uint64(be.Uint32(g[5:]))<<16 | uint64(be.Uint16(g[9:])),
		GeneralLevelIDC:                  g[11],
		MinSpatialSegmentationIDC:        c.Segmentation,
		ChromaFormatIDC:                  c.ChromaFormat,
		BitDepthLumaMinus8:               c.BitDepth[0] - 8,
		BitDepthChromaMinus8:             c.BitDepth[1] - 8,
		NumTemporalLayers:                c.SubLayers,
		TemporalIDNested:                 nested,
		LengthSizeMinusOne:               4 - 1,
		NaluArrays: []hevc.NaluArray{
			hevc.NewNaluArray(complete, hevc.NALU_VPS, c.VPS),
			hevc.NewNaluArray(complete, hevc.NALU_SPS, c.SPS),
			hevc.NewNaluArray(complete, hevc.NALU_PPS, c.PPS),
		},
	}})
}
