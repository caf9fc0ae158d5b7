package remux

import "bytes"

// vpxFrames is VP8 or VP9 as FLV carries it: frames and superframes, of which the key
// frames tell nearly all, and a record that tells the rest.
type vpxFrames struct {
	name    string
	header  func([]byte) (vpxHeader, error)
	odd     error    // what browsers make of it; nil where they play it
	decoder *VPX     // nil before there is one
	record  vpRecord // zero values where none came
	raw     []byte
	unit    unit // that next returned
}

func newVP9() bitstream { return &vpxFrames{name: "vp09", header: parseVP9Header, record: noRecord} }
func newVP8() bitstream {
	return &vpxFrames{name: "vp08", header: parseVP8Header, record: noRecord, odd: errVP8}
}

// vpxHeader is what a frame says at its beginning.
type vpxHeader struct {
	profile uint8
	key     bool // all below is of a key frame only

	depth         uint8
	subX, subY    uint8  // 1 where there is half as much chroma
	matrix        uint8  // a code point
	fullRange     bool   // …
	width, height int    // pixels
	render        [2]int // what they should be scaled to
}

func (v *vpxFrames) codec() Codec {
	if v.decoder == nil {
		return nil
	}
	return v.decoder
}

// configure takes a record, which says nothing of the size: the decoder is that of the
// next key frame.
func (v *vpxFrames) configure(record []byte) (bitstream, error) {
	if v.raw != nil && bytes.Equal(v.raw, record) {
		return v, nil
	}
	r, err := parseVPRecord(record)
	if err != nil {
		return v, err
	}
	return &vpxFrames{name: v.name, header: v.header, odd: v.odd, decoder: v.decoder, record: r, raw: bytes.Clone(record)}, nil
}

func (v *vpxFrames) peek(data []byte) (gop int, err error) {
	if h, err := v.header(data); err == nil && h.key {
		v.use(&h)
	}
	return 0, nil
}

func (v *vpxFrames) next(data []byte, _ bool) (u *unit, rest []byte, err error) {
	h, err := v.header(data)
	if err != nil {
		return nil, nil, err
	}
	if h.key {
		v.use(&h)
	}
	v.unit = unit{data: data, sync: h.key, odd: v.odd}
	return &v.unit, nil, nil
}

// use notes the decoder that a key frame is for. The same again changes nothing.
func (v *vpxFrames) use(h *vpxHeader) {
	d := VPX{
		Name: v.name, Profile: h.profile, Level: vpLevel(v.record.level, h.width, h.height), BitDepth: h.depth,
		Chroma:  v.record.subsampling(h),
		Picture: Picture{Width: h.width, Height: h.height, SAR: scaled(h.width, h.height, h.render)},
	}
	colour := v.record.colour
	if h.matrix != unspecified.Matrix {
		colour.Matrix = h.matrix
	}
	colour.FullRange = colour.FullRange || h.fullRange
	if v.decoder != nil && v.decoder.same(&d, colour) {
		return
	}
	if colour != unspecified {
		d.Colour = &colour
	}
	v.decoder = &d
}
