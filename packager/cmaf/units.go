package cmaf

import (
	"encoding/binary"
	"iter"
)

// Unit is an access unit as a part has it.
type Unit struct {
	Sample
	DTS  int64  // ticks of the track's timescale since 1970
	Data []byte // aliases the part
}

// Units yields the access units of a part, or of its first fragments, in decoding order.
// It reads what Fragment.Append writes, and ends where something else begins.
func Units(part []byte) iter.Seq[Unit] {
	return func(yield func(Unit) bool) {
		var run []byte // of the newest moof: trun's entries
		var dts int64
		for name, body := range boxes(part) {
			switch string(name) {
			case "moof":
				run, dts = nil, 0
				traf, _ := find(body, "traf")
				if b, ok := find(traf, "tfdt"); ok && len(b) == 12 {
					dts = int64(binary.BigEndian.Uint64(b[4:]))
				}
				if b, ok := find(traf, "trun"); ok && len(b) >= 12 {
					run = b[12:]
				}
			case "mdat":
				for ; len(run) >= runEntrySize; run = run[runEntrySize:] {
					u := Unit{DTS: dts, Sample: runEntry(run)}
					if u.Size > uint32(len(body)) {
						return
					}
					u.Data, body = body[:u.Size:u.Size], body[u.Size:]
					dts += int64(u.Duration)
					if !yield(u) {
						return
					}
				}
			}
		}
	}
}

// runEntry is what a track run says of a sample. It must have runEntrySize bytes.
func runEntry(b []byte) Sample {
	be := binary.BigEndian
	return Sample{
		Duration:          be.Uint32(b),
		Size:              be.Uint32(b[4:]),
		Flags:             Flags(be.Uint32(b[8:])),
		CompositionOffset: int32(be.Uint32(b[12:])),
	}
}

// Record returns the body of the box of that name in the sample entry of a picture:
// the configuration of its decoder. It aliases the header.
func Record(header []byte, name string) ([]byte, bool) {
	const descriptions, visual = 8, 78 // bytes in front of the boxes: of stsd, and of its entry
	b, ok := header, true
	for _, box := range []string{"moov", "trak", "mdia", "minf", "stbl", "stsd"} {
		if b, ok = find(b, box); !ok {
			return nil, false
		}
	}
	if len(b) < descriptions {
		return nil, false
	}
	for _, body := range boxes(b[descriptions:]) {
		if len(body) < visual {
			return nil, false
		}
		return find(body[visual:], name)
	}
	return nil, false
}

// find returns the body of the first box of that name.
func find(b []byte, name string) ([]byte, bool) {
	for n, body := range boxes(b) {
		if string(n) == name {
			return body, true
		}
	}
	return nil, false
}

// boxes yields boxes that lie one behind the other, by name, with their bodies. It
// ends where one is cut short.
func boxes(b []byte) iter.Seq2[[]byte, []byte] {
	const head = 8
	return func(yield func(name, body []byte) bool) {
		for len(b) >= head {
			size := binary.BigEndian.Uint32(b)
			if size < head || uint64(size) > uint64(len(b)) {
				return
			}
			if !yield(b[4:head], b[head:size:size]) {
				return
			}
			b = b[size:]
		}
	}
}
