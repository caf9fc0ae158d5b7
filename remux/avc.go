package remux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// NAL unit types (H.264, table 7-1).
const (
	nalSlice = 1
	nalIDR   = 5
	nalSEI   = 6
	nalSPS   = 7
	nalPPS   = 8
)

// avcConfig is an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, section
// 5.3.3.1). The parameter sets may be missing: some encoders send them in
// band only.
type avcConfig struct {
	lengthSize int
	sps, pps   [][]byte // alias the record
}

var errShortConfig = errors.New("AVC configuration: record is cut short")

func parseAVCConfig(b []byte) (avcConfig, error) {
	if len(b) < 5 {
		return avcConfig{}, errShortConfig
	}
	if b[0] != 1 {
		return avcConfig{}, fmt.Errorf("AVC configuration: version %d", b[0])
	}
	c := avcConfig{lengthSize: int(b[4]&3) + 1}
	if len(b) == 5 {
		return c, nil
	}
	var err error
	if c.sps, b, err = recordSets(b[6:], int(b[5]&0x1F), 4, nalSPS); err != nil {
		return avcConfig{}, err
	}
	if len(b) == 0 {
		return c, nil
	}
	c.pps, _, err = recordSets(b[1:], int(b[0]), 2, nalPPS)
	return c, err
}

func recordSets(b []byte, n, least int, nalType byte) (sets [][]byte, rest []byte, err error) {
	for range n {
		if len(b) < 2 {
			return nil, nil, errShortConfig
		}
		size := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; size > len(b) {
			return nil, nil, errShortConfig
		}
		if size >= least && b[0]&0x1F == nalType {
			sets = append(sets, b[:size:size])
		}
		b = b[size:]
	}
	return sets, b, nil
}

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

// keyframeInterval reads the greatest distance of keyframes, in frames, out of
// the text that x264 leaves in the first one: its options. 0 when there is
// none. data is an access unit in MP4's form.
func keyframeInterval(data []byte) int {
	const longest = 4 << 10
	for len(data) > 4 {
		size := int(binary.BigEndian.Uint32(data))
		if data = data[4:]; size > len(data) || size == 0 {
			return 0
		}
		nal := data[:size]
		data = data[size:]
		if nal[0]&0x1F != nalSEI || size > longest {
			continue
		}
		if _, text, ok := bytes.Cut(nal, []byte(" keyint=")); ok {
			text, _, _ = bytes.Cut(text, []byte(" "))
			n, err := strconv.Atoi(string(text)) // "infinite" is no number
			if err == nil && n > 0 && n < 1<<16 {
				return n
			}
		}
	}
	return 0
}
