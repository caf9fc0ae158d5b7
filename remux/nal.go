package remux

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// NAL unit types (H.264, table 7-1).
const (
	nalSlice = 1
	nalIDR   = 5
	nalSEI   = 6
	nalSPS   = 7
	nalPPS   = 8
)

// accessUnit is what the NAL units of a frame say about it.
type accessUnit struct {
	data     []byte // NAL units with 4-byte lengths
	idr      bool
	sps, pps [][]byte // in band; alias data
	slice    []byte   // the first one; aliases data
	captions Captions // in SEI messages
	recovery int      // frames until the picture is whole, as an SEI message says; −1 where none does
}

var errNALSize = errors.New("a NAL unit is longer than the frame")

// maxNALUnits bounds the work on one frame.
const maxNALUnits = 4096

// accessUnit reads the frame of a video tag. What is in MP4's form already is
// passed through; anything else is rewritten into r.scratch.
func (r *avcReader) accessUnit(b []byte) (accessUnit, error) {
	if startsLikeAnnexB(b) {
		return r.rewrite(annexB(b))
	}
	if r.lengthSize != 4 {
		return r.rewrite(lengthPrefixed(b, r.lengthSize))
	}
	au := accessUnit{data: b, recovery: -1}
	for rest, n := b, 0; len(rest) > 0; n++ {
		if len(rest) < 4 {
			return accessUnit{}, errNALSize
		}
		size := binary.BigEndian.Uint32(rest)
		if rest = rest[4:]; uint64(size) > uint64(len(rest)) || n > maxNALUnits {
			return accessUnit{}, errNALSize
		}
		if size == 0 { // some encoders pad; MP4 has no such thing
			return r.rewrite(lengthPrefixed(b, 4))
		}
		au.note(rest[:size:size])
		rest = rest[size:]
	}
	if len(au.data) == 0 {
		return accessUnit{}, errors.New("a frame without NAL units")
	}
	return au, nil
}

func (au *accessUnit) note(nal []byte) {
	kind := nal[0] & 0x1F
	if kind >= nalSlice && kind <= nalIDR && au.slice == nil {
		au.slice = nal
	}
	switch kind {
	case nalIDR:
		au.idr = true
	case nalSPS:
		if len(nal) >= 4 {
			au.sps = append(au.sps, nal)
		}
	case nalPPS:
		au.pps = append(au.pps, nal)
	case nalSEI:
		au.noteSEI(nal)
	}
}

// avcReader reads frames written with one avcConfig.
type avcReader struct {
	lengthSize int
	scratch    []byte
}

func (r *avcReader) rewrite(nals func(yield func([]byte) bool) error) (accessUnit, error) {
	out := r.scratch[:0]
	var spans [][2]int
	err := nals(func(nal []byte) bool {
		out = binary.BigEndian.AppendUint32(out, uint32(len(nal)))
		spans = append(spans, [2]int{len(out), len(out) + len(nal)})
		out = append(out, nal...)
		return len(spans) < maxNALUnits
	})
	r.scratch = out
	if err != nil {
		return accessUnit{}, err
	}
	if len(spans) == 0 {
		return accessUnit{}, errors.New("a frame without NAL units")
	}
	au := accessUnit{data: out, recovery: -1}
	for _, s := range spans { // only now: out may have moved while it grew
		au.note(out[s[0]:s[1]:s[1]])
	}
	return au, nil
}

// lengthPrefixed yields the NAL units of b that are not empty.
func lengthPrefixed(b []byte, lengthSize int) func(func([]byte) bool) error {
	return func(yield func([]byte) bool) error {
		for len(b) > 0 {
			if len(b) < lengthSize {
				return errNALSize
			}
			size := 0
			for _, v := range b[:lengthSize] {
				size = size<<8 | int(v)
			}
			if b = b[lengthSize:]; size > len(b) {
				return errNALSize
			}
			if size > 0 && !yield(b[:size:size]) {
				return errNALSize
			}
			b = b[size:]
		}
		return nil
	}
}

// startsLikeAnnexB finds start codes where a length should be: a length of 1
// would be a NAL unit without payload.
func startsLikeAnnexB(b []byte) bool {
	return bytes.HasPrefix(b, []byte{0, 0, 0, 1}) && len(b) > 5
}

// annexB yields the NAL units between the start codes of b (H.264, annex B).
func annexB(b []byte) func(func([]byte) bool) error {
	return func(yield func([]byte) bool) error {
		code := []byte{0, 0, 1}
		for {
			at := bytes.Index(b, code)
			if at < 0 {
				return nil
			}
			b = b[at+len(code):]
			nal := b
			if end := bytes.Index(b, code); end >= 0 {
				nal = b[:end]
			}
			nal = bytes.TrimRight(nal, "\x00")
			if len(nal) > 0 && !yield(nal) {
				return errNALSize
			}
		}
	}
}
