package remux

import (
	"bytes"
	"fmt"
	"slices"
)

// hevcSets are parameter sets by kind.
type hevcSets [3][][]byte

// The kinds of parameter sets: NAL unit types from hevcNALVPS on.
const (
	hevcVPS = iota
	hevcSPS
	hevcPPS
)

// hevcID is the id of a set of a kind; false for what has none.
var hevcID = [...]func(nal []byte) (id uint32, ok bool){
	hevcVPS: func(nal []byte) (uint32, bool) {
		r := bitReader{b: head(nal), pos: 16}
		id := r.take(4)
		return id, !r.past()
	},
	hevcSPS: func(nal []byte) (uint32, bool) {
		const longest = 3 + 12 + 2 + 6*12 + 4 // before the id, and that
		var s h265SPS
		ok := s.begin(&bitReader{b: unescape(nal[:min(len(nal), 3*longest/2)])})
		return s.id, ok
	},
	hevcPPS: func(nal []byte) (uint32, bool) { return expGolombAt(nal, 2) },
}

// setKind is the kind of a parameter set; false of any other NAL unit, and of those of
// layers that are not the picture itself.
func setKind(nal []byte) (kind int, ok bool) {
	kind = int(nal[0]>>1&0x3F) - hevcNALVPS
	return kind, kind >= hevcVPS && kind <= hevcPPS && len(nal) > 2 && baseLayer(nal)
}

func isHEVCSet(nal []byte) bool {
	_, ok := setKind(nal)
	return ok
}

// baseLayer tells whether a NAL unit is of the picture itself.
func baseLayer(nal []byte) bool { return nal[0]&1 == 0 && nal[1]>>3 == 0 }

func (s *hevcSets) empty() bool {
	return len(s[hevcVPS])+len(s[hevcSPS])+len(s[hevcPPS]) == 0
}

// merge are the old sets with those of newer that are others.
func (s hevcSets) merge(newer hevcSets) hevcSets {
	for kind := range s {
		s[kind] = mergeSets(s[kind], newer[kind], hevcID[kind])
	}
	return s
}

func (s *hevcSets) equal(o hevcSets) bool { return slices.EqualFunc(s[:], o[:], equalAll) }

// has tells whether all those sets are among these.
func (s *hevcSets) has(those hevcSets) bool {
	for kind := range s {
		if !holdsAll(s[kind], those[kind]) {
			return false
		}
	}
	return true
}

// activeFirst puts the SPS that a slice is decoded with in front of the others.
func (s *hevcSets) activeFirst(slice []byte) {
	if len(s[hevcSPS]) < 2 || slice == nil {
		return
	}
	r := bitReader{b: head(slice), pos: 16}
	r.flag() // first in its picture
	if isIRAP(slice) {
		r.flag() // no output of those before
	}
	pps, past := r.ue(), r.past()
	at := slices.IndexFunc(s[hevcPPS], func(b []byte) bool { id, ok := hevcID[hevcPPS](b); return ok && id == pps })
	if past || at < 0 {
		return
	}
	r = bitReader{b: head(s[hevcPPS][at]), pos: 16}
	r.ue() // its own id
	sps, past := r.ue(), r.past()
	at = slices.IndexFunc(s[hevcSPS], func(b []byte) bool { id, ok := hevcID[hevcSPS](b); return ok && id == sps })
	if !past && at > 0 {
		s[hevcSPS] = inFront(s[hevcSPS], at)
	}
}

// hevcConfig is an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, section
// 8.3.3.1). Its arrays may be missing: some encoders send parameter sets in band only.
type hevcConfig struct {
	lengthSize int
	sets       hevcSets // alias the record
	sei        hevcUnit // what its SEI messages say
}

func parseHEVCConfig(b []byte) (c hevcConfig, err error) {
	const arraysAt = 23
	if len(b) < arraysAt-1 {
		return c, fmt.Errorf("HEVC configuration: %w", errShortRecord)
	}
	if b[0] != 1 {
		return c, fmt.Errorf("HEVC configuration: version %d", b[0])
	}
	c.lengthSize = int(b[21]&3) + 1
	if len(b) < arraysAt {
		return c, nil
	}
	arrays := b[arraysAt-1]
	b = b[arraysAt:]
	for range arrays {
		if len(b) < 3 {
			return hevcConfig{}, fmt.Errorf("HEVC configuration: %w", errShortRecord)
		}
		_, b, err = recordSets(b[3:], int(b[1])<<8|int(b[2]), c.note)
		if err != nil {
			return hevcConfig{}, fmt.Errorf("HEVC configuration: %w", err)
		}
	}
	return c, nil
}

// note takes what a NAL unit of the record says.
func (c *hevcConfig) note(nal []byte) (wanted bool) {
	if len(nal) < 2 {
		return false
	}
	if kind, ok := setKind(nal); ok {
		c.sets[kind] = append(c.sets[kind], nal)
	} else if nal[0]>>1 == hevcNALSEI {
		c.sei.noteSEI(nal)
	}
	return false // it was noted here
}

// parameterSets notes those of an access unit. They take effect where decoding can
// start.
func (h *hevc) parameterSets(au *hevcUnit, sync bool) error {
	d := h.decoder
	au.sets[hevcSPS], _ = mendAll(au.sets[hevcSPS], mendHEVCSPS)
	if !sync {
		if !au.sets.empty() {
			for kind, list := range h.late.merge(au.sets) {
				h.late[kind] = keepSets(list)
			}
		}
		return nil
	}
	if d != nil && au.sets.empty() && h.late.empty() && len(d.SPS) == 1 {
		h.decoder = d.with(au.hdr)
		return nil
	}
	sets := h.late.merge(au.sets)
	h.late = hevcSets{}
	if d != nil {
		sets = d.sets().merge(sets)
		sets.activeFirst(au.slice)
	}
	return h.use(sets, au.hdr)
}

// use notes the decoder for the next keyframe. Parameter sets come as a whole or in
// parts, by a record or in band; the same ones again change nothing.
func (h *hevc) use(sets hevcSets, say hdr) error {
	if d := h.decoder; d != nil {
		old := d.sets()
		for kind := range sets {
			if len(sets[kind]) == 0 {
				sets[kind] = old[kind]
			}
		}
		if sets.equal(old) {
			h.decoder = d.with(say)
			return nil
		}
	}
	for _, list := range sets {
		if len(list) == 0 {
			return nil // the rest comes in band
		}
	}
	d, err := newH265(sets)
	if err != nil {
		return err
	}
	h.decoder = d.with(say)
	return nil
}

// clean is an access unit without parameter sets that the sample entry has, or, where
// decoding starts, will have: hvc1 has them there alone (ISO/IEC 14496-15, section
// 8.4.3.1). Those that others need before the next keyframe stay. It lives in
// h.scratch.
func (h *hevc) clean(data []byte, all bool) []byte {
	var there hevcSets
	if h.decoder != nil {
		there = h.decoder.sets()
	}
	h.scratch = withoutNAL(h.scratch[:0], data, func(nal []byte) bool {
		kind, ok := setKind(nal)
		if !ok || all {
			return ok
		}
		if nal = trimNAL(nal); kind == hevcSPS {
			nal, _ = mendHEVCSPS(nal)
		}
		return slices.ContainsFunc(there[kind], func(b []byte) bool { return bytes.Equal(b, nal) })
	})
	return h.scratch
}
