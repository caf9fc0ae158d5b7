package main

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"

	"github.com/sluice-live/sluice/ingest/flv"
)

// framing is how an encoder puts access units into tags.
type framing struct {
	hevc   bool // the picture is HEVC, not H.264
	named  bool // headers are those of Enhanced RTMP
	tracks bool // … and each packet says of which track it is
	joined bool // … and the two sounds lie in one tag
	modify bool // … and modifiers stand in front: nanoseconds, and one that nobody knows
	twin   bool // there is a second sound, as a track of its own
}

func newFraming(r *rand.Rand) (f framing) {
	if r.IntN(2) == 0 {
		return f // as all encoders did before
	}
	f = framing{hevc: r.IntN(2) == 0, named: r.IntN(4) > 0}
	if f.named {
		f.tracks, f.modify, f.twin, f.joined = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
	}
	return f
}

// packet is what one track has in a tag.
type packet struct {
	number byte // of the track, among those of its kind
	config bool
	offset int64 // composition time, ms
	body   []byte
}

const (
	interFrame, keyframe = 2, 1
	oneTrack, manyTracks = 0, 1
)

// picture is the body of a video tag.
func (f framing) picture(frameType byte, nanos uint32, p packet) []byte {
	kind := byte(1)
	if p.config {
		kind = 0
	}
	offset := []byte{byte(p.offset >> 16), byte(p.offset >> 8), byte(p.offset)}
	switch {
	case f.named:
		if !p.config {
			p.body = append(offset, p.body...)
		}
		return f.enhanced(0x80|frameType<<4, 6, kind, nanos, f.codec(), p)
	case f.hevc:
		const number = 12
		return append(append([]byte{frameType<<4 | number, kind}, offset...), p.body...)
	}
	const number = 7
	return append(append([]byte{frameType<<4 | number, kind}, offset...), p.body...)
}

func (f framing) codec() flv.FourCC {
	if f.hevc {
		return flv.HVC1
	}
	return flv.AVC1
}

// sounds is the body of an audio tag.
func (f framing) sounds(nanos uint32, all ...packet) []byte {
	kind := byte(1)
	if all[0].config {
		kind = 0
	}
	if !f.named {
		return append([]byte{0xAF, kind}, all[0].body...)
	}
	return f.enhanced(0x90, 5, kind, nanos, flv.MP4A, all...)
}

// enhanced is a body with a header of Enhanced RTMP, v2.
func (f framing) enhanced(first, multitrack, kind byte, nanos uint32, codec flv.FourCC, all ...packet) []byte {
	next, several := kind, f.tracks || len(all) > 1 || all[0].number > 0
	if several {
		next = multitrack
	}
	b := []byte{first | next}
	if f.modify {
		const modEx, unknown, nanoseconds = 7, 9, 0
		b[0] = first | modEx
		b = append(b, 0, 0xEE, unknown<<4|modEx)
		b = append(b, 2, byte(nanos>>16), byte(nanos>>8), byte(nanos), nanoseconds<<4|next)
	}
	name := binary.BigEndian.AppendUint32(nil, uint32(codec))
	switch {
	case !several:
		return append(append(b, name...), all[0].body...)
	case len(all) == 1:
		return append(append(append(b, oneTrack<<4|kind), append(name, all[0].number)...), all[0].body...)
	}
	b = append(append(b, manyTracks<<4|kind), name...)
	for _, p := range all {
		size := len(p.body)
		b = append(append(b, p.number, byte(size>>16), byte(size>>8), byte(size)), p.body...)
	}
	return b
}

// pictures are configuration records: those of H.264, and of HEVC, of three sizes.
var pictures = map[bool][][]byte{
	false: {
		avcRecord("67640028ac761103c045fbc044000003000400000300f03c60c61180", "68e8439cb22c"), // 960 × 540
		avcRecord("6742c00dd901419f9d", "68ce3c80"),                                           // 320 × 180
		avcRecord("674d401eeca06c1ef368", "68ee3c80"),                                         // 854 × 480
	},
	true: {
		bytesOf("0101600000009000000000005af000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003005a95" +
			"9409a10001002142010101600000030090000003000003005aa0078200887de595952930bc05a002a2000100064401c073c189"),
		bytesOf("0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c95" +
			"9409a10001002142010101600000030090000003000003003ca00a080c1f3e595952930bc05a0020a2000100064401c073c189"),
		bytesOf("0101600000009000000000005af000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003005a95" +
			"9409a10001002142010101600000030090000003000003005aa006c201e1cde595952930bc05a002a2000100064401c073c189"),
	},
}

func avcRecord(sps, pps string) []byte {
	s, p := bytesOf(sps), bytesOf(pps)
	b := []byte{1, s[1], s[2], s[3], 0xFF, 0xE1, 0, byte(len(s))}
	b = append(append(b, s...), 1, 0, byte(len(p)))
	return append(b, p...)
}

func bytesOf(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

// nanos is what a timestamp of whole milliseconds leaves out.
func (e *encoder) nanos(at float64) uint32 {
	if !e.floors {
		return 0
	}
	ms := (at - e.stoodStill(at)) * 1000
	return uint32((ms - math.Floor(ms+1e-6)) * 1e6 * 0.999)
}
