package remux

import (
	"bytes"
	"errors"
	"fmt"
)

// Types of OBUs (AV1, section 6.2.2).
const (
	obuSequence          = 1
	obuTemporalDelimiter = 2
	obuFrameHeader       = 3
	obuTileGroup         = 4
	obuMetadata          = 5
	obuFrame             = 6
	obuTileList          = 8
	obuPadding           = 15
)

// obu is an open bitstream unit of the low-overhead format (AV1, section 5.3). Its
// slices alias what it was read from.
type obu struct {
	kind    uint8
	head    []byte // one byte, or two with an extension
	payload []byte
	sized   bool // it says how long it is
}

var (
	errOBUSize   = errors.New("an OBU is longer than the frame: is this the length-delimited format (annex B)?")
	errOBUHeader = errors.New("no OBU where one should begin")
	errManyOBUs  = errors.New("too many OBUs")
)

// cutOBU takes the first OBU. One without a size takes all that is left.
func cutOBU(b []byte) (o obu, rest []byte, err error) {
	const forbidden, extension, hasSize = 0x80, 0x04, 0x02
	head := 1
	if b[0]&extension != 0 {
		head = 2
	}
	if b[0]&forbidden != 0 || len(b) < head {
		return obu{}, nil, errOBUHeader
	}
	o = obu{kind: b[0] >> 3 & 0xF, head: b[:head:head], sized: b[0]&hasSize != 0}
	if b = b[head:]; !o.sized {
		if o.kind != obuFrame && o.kind != obuTileGroup { // nothing else is the last
			return obu{}, nil, errOBUSize
		}
		o.payload = b
		return o, nil, nil
	}
	size, n := leb128(b)
	if n == 0 || size > uint64(len(b)-n) {
		return obu{}, nil, errOBUSize
	}
	b = b[n:]
	o.payload = b[:size:size]
	return o, b[size:], nil
}

// leb128 reads a number (AV1, section 4.10.5) and tells how many bytes it has: 0
// where it is cut short, or has more than 32 bits.
func leb128(b []byte) (v uint64, n int) {
	for n < min(len(b), 8) {
		v |= uint64(b[n]&0x7F) << (7 * n)
		n++
		if b[n-1]&0x80 == 0 {
			if v >= 1<<32 {
				return 0, 0
			}
			return v, n
		}
	}
	return 0, 0
}

func appendLEB128(dst []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		dst = append(dst, byte(v)|0x80)
	}
	return append(dst, byte(v))
}

// appendTo appends the OBU with its size.
func (o *obu) appendTo(dst []byte) []byte {
	dst = append(dst, o.head...)
	dst[len(dst)-len(o.head)] |= 0x02
	return append(appendLEB128(dst, uint64(len(o.payload))), o.payload...)
}

// temporalUnit is a picture with all that belongs to it.
type temporalUnit struct {
	data     []byte // as MP4 stores it
	sequence []byte // payload of the sequence header; nil where there is none
	frame    []byte // … of the first frame, or of its header; nil where there is none
	metadata [][]byte
}

// obuReader reads temporal units.
type obuReader struct {
	scratch []byte
	notes   [4][]byte
}

// maxOBUs bounds the work on one frame.
const maxOBUs = 4096

// temporalUnit takes the first one. What MP4 has no place for is left out (AV1 Codec
// ISO Media File Format Binding, section 2.4): then, or where an OBU has no size, the
// unit is rewritten into r.scratch.
func (r *obuReader) temporalUnit(b []byte) (u temporalUnit, rest []byte, err error) {
	u.metadata = r.notes[:0]
	rewritten, gap := false, false
	var from []byte // the first OBU that is kept, and what is behind it
	for n := 0; len(b) > 0; n++ {
		o, after, err := cutOBU(b)
		if err != nil && len(u.data) > 0 && zeros(b) { // padding, which no OBU begins like
			return u, nil, nil
		}
		if err == nil && n == maxOBUs {
			err = errManyOBUs
		}
		if err != nil {
			return temporalUnit{}, nil, fmt.Errorf("AV1 frame: %w", err)
		}
		switch o.kind {
		case obuTemporalDelimiter:
			if len(u.data) > 0 {
				return u, b, nil
			}
			b = after
			continue
		case obuPadding, obuTileList:
			gap = gap || len(u.data) > 0
			b = after
			continue
		}
		u.note(&o)
		switch {
		case !rewritten && (gap || !o.sized):
			rewritten = true
			r.scratch = append(r.scratch[:0], u.data...)
			fallthrough
		case rewritten:
			r.scratch = o.appendTo(r.scratch)
			u.data = r.scratch
		default:
			if from == nil {
				from = b
			}
			size := len(from) - len(after)
			u.data = from[:size:size]
		}
		b = after
	}
	return u, nil, nil
}

// zeros tells whether nothing else is in b.
func zeros(b []byte) bool { return len(bytes.TrimRight(b, "\x00")) == 0 }

func (u *temporalUnit) note(o *obu) {
	switch {
	case o.kind == obuSequence && u.sequence == nil:
		u.sequence = o.payload
	case (o.kind == obuFrame || o.kind == obuFrameHeader) && u.frame == nil:
		u.frame = o.payload
	case o.kind == obuMetadata && len(u.metadata) < cap(u.metadata):
		u.metadata = append(u.metadata, o.payload)
	}
}
