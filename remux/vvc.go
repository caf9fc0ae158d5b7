package remux

import (
	"bytes"
	"fmt"
	"slices"
)

// NAL unit types (H.266, table 5).
const (
	vvcIDR            = 7 // and 8: with and without pictures that lead
	vvcCRA            = 9
	vvcRefresh        = 10 // GDR: whole some pictures later only
	vvcLastVCL        = 11
	vvcOperatingPoint = 12
	vvcCapability     = 13
	vvcLastSet        = 16 // 12 to 16 are what a record has
	vvcSEI            = 23
)

// vvc is VVC (H.266) as FLV carries it, with a record that says what is in the
// bitstream: nothing else of it is read, and the record is carried as it is.
type vvc struct {
	reader  nalReader
	decoder *H266 // nil before there is one
	sawIRAP bool
	before  waiting
	unit    unit   // that next returned
	scratch []byte // frames without parameter sets
}

func newVVC() bitstream { return new(vvc) }

func (v *vvc) codec() Codec {
	if v.decoder == nil {
		return nil
	}
	return v.decoder
}

func (v *vvc) configure(record []byte) (bitstream, error) {
	c, lengthSize, err := newH266(record)
	if err != nil {
		return v, err
	}
	if v.decoder != nil && v.reader.lengthSize == lengthSize && bytes.Equal(v.decoder.Record, c.Record) {
		return v, nil
	}
	return &vvc{reader: nalReader{lengthSize: lengthSize}, decoder: c, sawIRAP: v.sawIRAP, before: v.before.without(isVVCSet)}, nil
}

func (v *vvc) peek(data []byte) (gop int, err error) {
	if v.decoder != nil {
		if au, err := v.accessUnit(data); err == nil {
			v.decoder = v.decoder.with(au.hdr)
		}
	}
	return 0, nil
}

func (v *vvc) next(data []byte, keyframe bool) (u *unit, rest []byte, err error) {
	if v.decoder == nil {
		v.unit = unit{}
		return &v.unit, nil, nil // which nobody can decode
	}
	au, err := v.accessUnit(data)
	if err != nil {
		return nil, nil, fmt.Errorf("video frame: %w", err)
	}
	if !au.picture { // sets, or what describes a picture, in a frame of its own
		return nil, nil, v.before.wait(au.data, nil)
	}
	if v.before != nil {
		au = v.unitOf(v.before.lead(au.data))
	}
	v.sawIRAP = v.sawIRAP || au.irap()
	sync := au.irap() || keyframe && !v.sawIRAP
	if sync {
		v.decoder = v.decoder.with(au.hdr)
	}
	v.unit = unit{data: au.data, sync: sync, openGOP: sync && au.kind == vvcCRA, captions: au.captions}
	switch {
	case sync:
		v.unit.odd = errVVC
	case au.kind == vvcRefresh:
		v.unit.odd = errIntraRefresh
	}
	return &v.unit, nil, nil
}

// vvcUnit is what the NAL units of a frame say about it.
type vvcUnit struct {
	data     []byte // NAL units with 4-byte lengths, without the sets that the record has
	picture  bool   // it has one
	kind     byte   // of its first slice
	captions Captions
	hdr      hdr
}

func (au *vvcUnit) irap() bool { return au.picture && au.kind >= vvcIDR && au.kind <= vvcCRA }

// accessUnit reads the frame of a video tag.
func (v *vvc) accessUnit(b []byte) (vvcUnit, error) {
	data, err := v.reader.frame(b)
	if err != nil {
		return vvcUnit{}, err
	}
	return v.unitOf(data), nil
}

// unitOf reads NAL units with 4-byte lengths.
func (v *vvc) unitOf(data []byte) vvcUnit {
	au := vvcUnit{data: data}
	repeated := false
	for nal := range nalUnits(data) {
		if len(nal) < 2 || nal[0]&0x3F > 0 { // a layer that isn't the picture itself
			continue
		}
		switch kind := nal[1] >> 3; {
		case kind <= vvcLastVCL && !au.picture:
			au.picture, au.kind = true, kind
		case kind == vvcSEI:
			for kind, payload := range seiMessages(nal, 2) {
				if kind == seiRegistered {
					au.captions |= captions(payload)
				}
				au.hdr.note(kind, payload)
			}
		case v.repeats(nal):
			repeated = true
		}
	}
	if repeated { // vvc1 has them in the sample entry alone
		v.scratch = withoutNAL(v.scratch[:0], data, v.repeats)
		au.data = v.scratch
	}
	return au
}

// isVVCSet tells whether a NAL unit is one that a record has.
func isVVCSet(nal []byte) bool {
	return len(nal) >= 2 && nal[1]>>3 >= vvcOperatingPoint && nal[1]>>3 <= vvcLastSet
}

// repeats tells whether a NAL unit is a set that the record has.
func (v *vvc) repeats(nal []byte) bool {
	return isVVCSet(nal) && slices.ContainsFunc(v.decoder.sets, func(b []byte) bool { return bytes.Equal(b, trimNAL(nal)) })
}
