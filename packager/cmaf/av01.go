package cmaf

import (
	"github.com/Eyevinn/mp4ff/av1"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/remux"
)

// av01 is a sample entry by the AV1 Codec ISO Media File Format Binding.
func av01(c *remux.AV1, p *remux.Picture, rate *mp4.BtrtBox) mp4.Box {
	record := av1.CodecConfRec{
		Version:              1,
		SeqProfile:           c.Profile,
		SeqLevelIdx0:         c.Level,
		SeqTier0:             c.Tier,
		HighBitdepth:         bit(c.BitDepth > 8),
		TwelveBit:            bit(c.BitDepth == 12),
		MonoChrome:           bit(c.Mono),
		ChromaSubsamplingX:   c.SubX,
		ChromaSubsamplingY:   c.SubY,
		ChromaSamplePosition: c.ChromaPosition,
		ConfigOBUs:           c.Sequence,
	}
	entry := visual("av01", p, rate, &mp4.Av1CBox{CodecConfRec: record})
	entry.CompressorName = "AOM Coding"
	return entry
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}
