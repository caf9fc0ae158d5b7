package remux

import "fmt"

// hevc is HEVC (H.265) as FLV carries it: with an hevcConfig of its own, or parameter
// sets in band. Its samples have none: see clean.
type hevc struct {
	reader  nalReader
	decoder *H265 // nil before there is one
	sawIRAP bool
	gop     int // as the record says, 0 when it doesn't
	before  waiting
	unit    unit   // that next returned
	scratch []byte // of clean

	late hevcSets // came in band since decoding could start
}

func newHEVC() bitstream { return &hevc{reader: nalReader{lengthSize: 4}} }

func (h *hevc) codec() Codec {
	if h.decoder == nil {
		return nil
	}
	return h.decoder
}

func (h *hevc) configure(record []byte) (bitstream, error) {
	c, err := parseHEVCConfig(record)
	if err != nil {
		return h, err
	}
	c.sets[hevcSPS], _ = mendAll(c.sets[hevcSPS], mendHEVCSPS)
	if d := h.decoder; d != nil && h.reader.lengthSize == c.lengthSize {
		if old := d.sets(); old.has(c.sets) {
			return h, nil
		}
	}
	next := &hevc{reader: nalReader{lengthSize: c.lengthSize}, decoder: h.decoder, sawIRAP: h.sawIRAP, gop: c.sei.gop, before: h.before, late: h.late}
	if !c.sets.empty() { // it takes the place of all that came in band
		next.before, next.late = h.before.without(isHEVCSet), hevcSets{}
	}
	return next, next.use(c.sets, c.sei.hdr)
}

func (h *hevc) peek(data []byte) (gop int, err error) {
	var au hevcUnit
	if h.accessUnit(data, &au) != nil {
		return 0, nil
	}
	if gop = au.gop; gop == 0 {
		gop = h.gop
	}
	return gop, h.parameterSets(&au, true)
}

func (h *hevc) next(data []byte, keyframe bool) (u *unit, rest []byte, err error) {
	var au hevcUnit
	if err := h.accessUnit(data, &au); err != nil {
		return nil, nil, fmt.Errorf("video frame: %w", err)
	}
	if au.slice == nil { // parameter sets, or what describes a picture, in a frame of its own
		return nil, nil, h.before.wait(au.data, h.parameterSets(&au, false))
	}
	if h.before != nil {
		au.read(h.before.lead(au.data))
	}
	// The encoder's word is taken only where it sends no pictures for random access
	// at all: see avc.
	h.sawIRAP = h.sawIRAP || au.irap()
	sync := au.irap() || keyframe && !h.sawIRAP
	err = h.parameterSets(&au, sync)
	if !au.sets.empty() {
		au.data = h.clean(au.data, sync && err == nil)
	}
	h.unit = unit{data: au.data, sync: sync, openGOP: sync && au.open(), captions: au.captions, odd: h.odd(&au, sync)}
	return &h.unit, nil, err
}

// odd is what browsers make of a unit.
func (h *hevc) odd(au *hevcUnit, sync bool) error {
	switch {
	case au.recovery > 0 && !au.irap():
		return errIntraRefresh
	case sync && h.decoder != nil:
		return h.decoder.odd()
	}
	return nil
}
