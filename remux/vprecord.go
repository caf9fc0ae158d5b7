package remux

import "errors"

// Chroma subsampling, as a record has it.
const (
	vpVertical  = 0 // 4:2:0, chroma between two lines
	vpColocated = 1 // 4:2:0
	vp422       = 2
	vp444       = 3
)

// vpRecord is a VPCodecConfigurationRecord. It has no size: the first key frame does.
type vpRecord struct {
	level  uint8
	chroma uint8
	colour ColourCodes
}

// noRecord is what is known without one.
var noRecord = vpRecord{chroma: vpColocated, colour: unspecified}

// subsampling is the chroma of a picture, as a record has it.
func (r *vpRecord) subsampling(h *vpxHeader) uint8 {
	switch {
	case h.subX == 0:
		return vp444
	case h.subY == 0:
		return vp422
	case r.chroma == vpVertical:
		return vpVertical
	}
	return vpColocated
}

// parseVPRecord reads a record, which some encoders send with the version and the flags
// of its box in front.
func parseVPRecord(b []byte) (r vpRecord, err error) {
	if len(b) >= 12 && b[0] == 1 && b[1] == 0 && b[2] == 0 && b[3] == 0 {
		b = b[4:]
	}
	if len(b) < 8 {
		return vpRecord{}, errors.New("VP configuration: record is cut short")
	}
	return vpRecord{
		level:  b[1],
		chroma: b[2] >> 1 & 7,
		colour: ColourCodes{Primaries: b[3], Transfer: b[4], Matrix: b[5], FullRange: b[2]&1 == 1},
	}, nil
}

// vpLevels are the levels of VP9 by what a picture, and a second, may have (VP9 Levels).
var vpLevels = [...]struct {
	level  uint8
	rate   int // luma samples in a second
	area   int // … in a picture
	longer int // side
}{
	{10, 829440, 36864, 512},
	{11, 2764800, 73728, 768},
	{20, 4608000, 122880, 960},
	{21, 9216000, 245760, 1344},
	{30, 20736000, 552960, 2048},
	{31, 36864000, 983040, 2752},
	{40, 83558400, 2228224, 4160},
	{41, 160432128, 2228224, 4160},
	{50, 311951360, 8912896, 8384},
	{51, 588251136, 8912896, 8384},
	{52, 1176502272, 8912896, 8384},
	{60, 1176502272, 35651584, 16832},
	{61, 2353004544, 35651584, 16832},
	{62, 4706009088, 35651584, 16832},
}

// vpLevel is that of a picture size, where the encoder tells none that exists: browsers
// refuse a codec without one. The rate isn't known then. It is taken for 60 in a second,
// so that a decoder of that level is never too weak.
func vpLevel(stated uint8, width, height int) uint8 {
	const rate = 60
	for _, l := range vpLevels {
		if l.level == stated {
			return stated
		}
	}
	area := width * height
	for _, l := range vpLevels {
		if area*rate <= l.rate && area <= l.area && max(width, height) <= l.longer {
			return l.level
		}
	}
	return vpLevels[len(vpLevels)-1].level
}
