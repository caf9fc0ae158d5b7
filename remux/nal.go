package remux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
)

var (
	errNALSize = errors.New("a NAL unit is longer than the frame")
	errNoNAL   = errors.New("a frame without NAL units")
)

// maxNALUnits bounds the work on one frame.
const maxNALUnits = 4096

// nalReader reads frames of NAL units as a decoder's configuration says they are
// written.
type nalReader struct {
	lengthSize int
	scratch    []byte
}

// frame is the frame of a video tag as MP4 has it: NAL units with 4-byte lengths,
// none of them empty. What is so already is passed through; anything else is rewritten
// into r.scratch, and valid until the next call.
func (r *nalReader) frame(b []byte) ([]byte, error) {
	if startsLikeAnnexB(b) {
		return r.rewrite(annexB(b))
	}
	if r.lengthSize != 4 {
		return r.rewrite(lengthPrefixed(b, r.lengthSize))
	}
	for rest, n := b, 0; len(rest) > 0; n++ {
		if len(rest) < 4 {
			return nil, errNALSize
		}
		size := binary.BigEndian.Uint32(rest)
		if rest = rest[4:]; uint64(size) > uint64(len(rest)) || n > maxNALUnits {
			return nil, errNALSize
		}
		if size == 0 { // some encoders pad; MP4 has no such thing
			return r.rewrite(lengthPrefixed(b, 4))
		}
		rest = rest[size:]
	}
	if len(b) == 0 {
		return nil, errNoNAL
	}
	return b, nil
}

func (r *nalReader) rewrite(nals func(yield func([]byte) bool) error) ([]byte, error) {
	out, n := r.scratch[:0], 0
	err := nals(func(nal []byte) bool {
		out = binary.BigEndian.AppendUint32(out, uint32(len(nal)))
		out = append(out, nal...)
		n++
		return n < maxNALUnits
	})
	r.scratch = out
	if err == nil && n == 0 {
		err = errNoNAL
	}
	return out, err
}

// nalUnits yields the NAL units of data in MP4's form, which they alias.
func nalUnits(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(data) > 4 {
			end := 4 + int(binary.BigEndian.Uint32(data))
			if !yield(data[4:end:end]) {
				return
			}
			data = data[end:]
		}
	}
}

// withoutNAL appends to dst the NAL units of data, in MP4's form, but those that are
// dropped.
func withoutNAL(dst, data []byte, dropped func(nal []byte) bool) []byte {
	for nal := range nalUnits(data) {
		if !dropped(nal) {
			dst = binary.BigEndian.AppendUint32(dst, uint32(len(nal)))
			dst = append(dst, nal...)
		}
	}
	return dst
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
