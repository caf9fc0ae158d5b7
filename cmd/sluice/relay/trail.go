package relay

import (
	"encoding/binary"
	"hash/maphash"
	"slices"

	"github.com/sluice-live/sluice/ingest/flv"
)

// trail is what a pull has passed on of late, so that one that comes back can tell what it gets
// again:
//
//	passed on               K P P P K P P │             the connection is lost, or left
//	by the next connection          K P P P P K P …     a source begins with its newest keyframe
//	                                └ again ┘└ goes on
//
// Of each access unit it has a digest and a timestamp: of the newest keyframes of a track, and what
// is behind them, for 20 to 40 seconds at most. That is a few KiB, and never more than
// mostTracks × mostUnits × 16 bytes: 1 MiB.
type trail struct {
	seed   maphash.Seed
	tracks map[track][]unit
	states map[state]uint64 // digests of what decoders were told last
}

const (
	mostTracks = 16
	mostUnits  = 4096
	lately     = 20_000 // ms

	// A track is known from a keyframe on that is as old, and behind as many.
	enoughTime = 5000 // ms
	enoughKeys = 3
)

// track is one of a kind.
type track struct {
	kind flv.Kind
	id   uint8
}

// state is what decoders of a track are told aside from its access units.
type state struct {
	of   track
	what flv.PacketType
}

// unit is an access unit, or the several of one tag.
type unit struct {
	digest uint64 // of its bytes, and of the decoder configuration that it needs
	at     uint32 // ms modulo 2^32
	key    bool
}

// mark is what is compared of a tag.
type mark struct {
	state // of the first track in it
	unit
}

func newTrail() *trail {
	return &trail{seed: maphash.MakeSeed(), tracks: make(map[track][]unit), states: make(map[state]uint64)}
}

// mark reads a tag. Composition times are left out: servers that count anew for each reader round
// them another way. configs are the decoder configurations in force, and take those of the tag.
func (t *trail) mark(tag flv.Tag, configs map[track]uint64) (m mark) {
	m.what, m.at = flv.PacketMetadata, tag.Timestamp
	var h maphash.Hash
	h.SetSeed(t.seed)
	for p, err := range flv.Packets(tag) {
		if err != nil || p.Type == flv.PacketMetadata {
			continue
		}
		of := track{p.Kind, p.TrackID}
		digest := maphash.Bytes(t.seed, p.Data)
		if p.Type == flv.PacketConfig {
			if _, known := configs[of]; known || len(configs) < mostTracks {
				configs[of] = digest
			}
		}
		if m.what == flv.PacketMetadata || p.Type == flv.PacketFrame && m.what != flv.PacketFrame {
			m.state = state{of, p.Type}
		}
		m.key = m.key || p.Keyframe && p.Type == flv.PacketFrame
		var b [19]byte
		b[0], b[1], b[2] = byte(p.Type), byte(p.Kind), p.TrackID
		binary.BigEndian.PutUint64(b[3:], digest)
		binary.BigEndian.PutUint64(b[11:], configs[of]^uint64(p.FourCC))
		h.Write(b[:])
	}
	m.digest = h.Sum64()
	return m
}

// passes notes what is passed on.
func (t *trail) passes(m mark) {
	switch units, known := t.tracks[m.of]; {
	case m.what == flv.PacketMetadata:
	case m.what != flv.PacketFrame:
		if _, known := t.states[m.state]; known || len(t.states) < 3*mostTracks {
			t.states[m.state] = m.digest
		}
	case known || len(t.tracks) < mostTracks: // of more tracks nothing is known
		t.tracks[m.of] = shorten(append(units, m.unit))
	}
}

// shorten forgets the oldest units of a track, where the newest make that possible.
func shorten(units []unit) []unit {
	n := len(units)
	newest := units[n-1]
	if half := n / 2; n == mostUnits || later(newest.at, units[half].at) > lately {
		return slices.Delete(units, 0, half)
	}
	for keys, i := 0, n-1; newest.key && i > 0; i-- {
		if !units[i].key {
			continue
		}
		if keys++; keys >= enoughKeys && later(newest.at, units[i].at) >= enoughTime {
			return slices.Delete(units, 0, i)
		}
	}
	return units
}

// later is by how much a timestamp is later than another.
func later(a, b uint32) int32 { return int32(a - b) }
