package remux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
)

var errShortRecord = errors.New("record is cut short")

// trimNAL takes away the zeros behind a parameter set, which some have where they were cut out
// of a byte stream: they are none of it (H.264, section 7.4.1), and sets are told apart by their bytes.
func trimNAL(set []byte) []byte {
	const most = 16 // of them
	trimmed := bytes.TrimRight(set, "\x00")
	if len(set)-len(trimmed) > most {
		return set
	}
	return trimmed
}

// recordSets takes so many NAL units, with 2-byte lengths, from a configuration
// record. Those that are wanted alias it.
func recordSets(b []byte, n int, wanted func(nal []byte) bool) (sets [][]byte, rest []byte, err error) {
	for range n {
		if len(b) < 2 {
			return nil, nil, errShortRecord
		}
		size := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; size > len(b) {
			return nil, nil, errShortRecord
		}
		if nal := trimNAL(b[:size:size]); wanted(nal) {
			sets = append(sets, nal)
		}
		b = b[size:]
	}
	return sets, b, nil
}

// Parameter sets come in a record, and again, or others, in band. One in band
// takes the place of the one with its id (H.264, section 7.4.1.2.1); all others
// stay.

// spsID and ppsID are the ids of parameter sets; false for what has none.
func spsID(nal []byte) (id uint32, ok bool) { return expGolombAt(nal, 4) }
func ppsID(nal []byte) (id uint32, ok bool) { return expGolombAt(nal, 1) }

// expGolombAt is the number behind so many bytes of a NAL unit.
func expGolombAt(nal []byte, at int) (v uint32, ok bool) {
	r := bitReader{b: head(nal), pos: 8 * at}
	v = r.ue()
	return v, !r.past()
}

// head is the beginning of a NAL unit, unescaped.
func head(nal []byte) []byte { return unescape(nal[:min(len(nal), 32)]) }

// mergeSets are the old sets with those of newer that have another content, or
// another id. The result is old itself where all is the same.
func mergeSets(old, newer [][]byte, id func([]byte) (uint32, bool)) [][]byte {
	merged := old
	for _, set := range newer {
		n, ok := id(set)
		if !ok {
			continue
		}
		at := slices.IndexFunc(merged, func(b []byte) bool { m, _ := id(b); return m == n })
		switch {
		case at >= 0 && bytes.Equal(merged[at], set):
			continue
		case at < 0:
			merged = append(merged[:len(merged):len(merged)], set)
		default:
			merged = slices.Clone(merged)
			merged[at] = set
		}
	}
	return merged
}

// holdsAll tells whether all those sets are among these.
func holdsAll(these, those [][]byte) bool {
	for _, set := range those {
		if !slices.ContainsFunc(these, func(b []byte) bool { return bytes.Equal(b, set) }) {
			return false
		}
	}
	return true
}

// activeFirst puts the SPS that a slice is decoded with in front of the others.
func activeFirst(sps, pps [][]byte, slice []byte) [][]byte {
	if len(sps) < 2 {
		return sps
	}
	r := bitReader{b: head(slice), pos: 8}
	r.ue() // first_mb_in_slice
	r.ue() // slice_type
	used := r.ue()
	at := slices.IndexFunc(pps, func(b []byte) bool { id, ok := ppsID(b); return ok && id == used })
	if r.past() || at < 0 {
		return sps
	}
	r = bitReader{b: head(pps[at]), pos: 8}
	r.ue() // its own id
	used = r.ue()
	at = slices.IndexFunc(sps, func(b []byte) bool { id, ok := spsID(b); return ok && id == used })
	if r.past() || at <= 0 {
		return sps
	}
	return inFront(sps, at)
}

// inFront is a list with one of its sets in front of the others.
func inFront(sets [][]byte, at int) [][]byte {
	sorted := [][]byte{sets[at]}
	return append(append(sorted, sets[:at]...), sets[at+1:]...)
}

// mendSPS takes VUI away that ends in the middle: players are less patient with
// it than we are. It tells whether that was necessary.
func mendSPS(nal []byte) (_ []byte, mended bool) {
	if len(nal) > maxParameterSetSize {
		return nal, false
	}
	plain := unescape(nal)
	if s, err := parseSPS(plain); err == nil && s.cut {
		return withoutVUI(plain, s.vuiAt, 0), true
	}
	return nal, false
}

// mendAll does so to a list, by the mendSPS of the codec.
func mendAll(sps [][]byte, mend func([]byte) ([]byte, bool)) (_ [][]byte, mended bool) {
	for i, nal := range sps {
		if b, m := mend(nal); m {
			if !mended {
				sps, mended = slices.Clone(sps), true
			}
			sps[i] = b
		}
	}
	return sps, mended
}

// parameterSets notes those of an access unit. They take effect where decoding can
// start; until then the frames that need them have them in band.
func (a *avc) parameterSets(au *accessUnit, sync bool) error {
	if au.sps == nil && au.pps == nil && (!sync || a.lateSPS == nil && a.latePPS == nil && (a.decoder == nil || len(a.decoder.SPS) == 1)) {
		return nil
	}
	sps, mended := mendAll(au.sps, mendSPS)
	if mended && au.slice != nil {
		au.data = withoutNAL(nil, au.data, func(nal []byte) bool { return nal[0]&0x1F == nalSPS })
	}
	sps, pps := mergeSets(a.lateSPS, sps, spsID), mergeSets(a.latePPS, au.pps, ppsID)
	if !sync {
		a.lateSPS, a.latePPS = keepSets(sps), keepSets(pps)
		return nil
	}
	a.lateSPS, a.latePPS = nil, nil
	if d := a.decoder; d != nil {
		sps, pps = mergeSets(d.SPS, sps, spsID), mergeSets(d.PPS, pps, ppsID)
		sps = activeFirst(sps, pps, au.slice)
	}
	return a.use(sps, pps)
}

// keepSets copies sets that live in a frame, as far as a record could hold them.
func keepSets(list [][]byte) [][]byte {
	list = slices.DeleteFunc(slices.Clone(list), func(b []byte) bool { return len(b) > maxParameterSetSize })
	return cloneAll(list[:min(len(list), maxParameterSets)])
}
