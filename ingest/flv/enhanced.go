package flv

import (
	"encoding/binary"
	"fmt"
)

// Packet types in the header of an enhanced tag (Enhanced RTMP v2, AudioPacketType
// and VideoPacketType). 0 to 2 are those of AVC.
const (
	enhancedFrameX    = 3 // of video: without a composition time
	enhancedColour    = 4 // of video: Metadata
	enhancedChannels  = 4 // of audio: MultichannelConfig
	enhancedTracks    = 5 // of audio: Multitrack
	enhancedPictures  = 6 // of video: Multitrack
	enhancedModifiers = 7 // ModEx
	modifierNanos     = 0 // TimestampOffsetNano
)

// AvMultitrackType: how tracks lie in one tag.
const (
	oneTrack   = 0
	manyTracks = 1 // of one codec
	manyCodecs = 2
)

// enhanced reads the body of a tag whose header is that of Enhanced RTMP, behind its
// first byte. p has what that byte says, and the body's kind; number is the packet
// type in it. It tells whether to go on.
//
//	[modifiers …] FourCC body
//	[modifiers …] tracks|type FourCC { track [size] body } …
func (p *Packet) enhanced(number byte, body []byte, yield func(error) bool) {
	for number == enhancedModifiers {
		var ok bool
		if number, body, ok = p.modifier(body); !ok {
			yield(ErrShort)
			return
		}
	}
	switch {
	case p.Kind == Video && number == enhancedPictures, p.Kind == Audio && number == enhancedTracks:
		p.tracks(body, yield)
	case len(body) < 4:
		yield(ErrShort)
	default:
		p.FourCC = FourCC(binary.BigEndian.Uint32(body))
		p.one(number, body[4:], yield)
	}
}

// modifier reads one of ModEx. A type that nobody knows changes nothing.
func (p *Packet) modifier(b []byte) (number byte, rest []byte, ok bool) {
	if len(b) < 1 {
		return 0, nil, false
	}
	size := int(b[0]) + 1
	if b = b[1:]; size == 256 {
		if len(b) < 2 {
			return 0, nil, false
		}
		size, b = int(binary.BigEndian.Uint16(b))+1, b[2:]
	}
	if len(b) < size+1 {
		return 0, nil, false
	}
	const millisecond = 1_000_000 // in nanoseconds
	if data, kind := b[:size], b[size]>>4; kind == modifierNanos && size >= 3 {
		p.Nanos = uint24(data) % millisecond
	}
	return b[size] & 0x0F, b[size+1:], true
}

// tracks reads what a tag has of several tracks.
func (p *Packet) tracks(b []byte, yield func(error) bool) {
	if len(b) < 1 {
		yield(ErrShort)
		return
	}
	layout, number := b[0]>>4, b[0]&0x0F
	b = b[1:]
	if layout > manyCodecs {
		return
	}
	for first := true; first || len(b) > 0; first = false {
		p.Type, p.Composition, p.Data = 0, 0, nil // of the track before
		if first || layout == manyCodecs {
			if len(b) < 4 {
				yield(ErrShort)
				return
			}
			p.FourCC, b = FourCC(binary.BigEndian.Uint32(b)), b[4:]
		}
		if len(b) < 1 {
			yield(ErrShort)
			return
		}
		p.TrackID, b = b[0], b[1:]
		body := b
		if layout != oneTrack {
			if len(b) < 3 || int(uint24(b)) > len(b)-3 {
				yield(ErrShort)
				return
			}
			body = b[3:][:uint24(b):uint24(b)]
			b = b[3+len(body):]
		} else {
			b = nil
		}
		if !p.one(number, body, yield) {
			return
		}
	}
}

// one yields the packet of one track, whose codec is known, and tells whether to go on.
func (p *Packet) one(number byte, body []byte, yield func(error) bool) bool {
	if !p.FourCC.is(p.Kind) {
		return yield(&UnsupportedError{fmt.Sprintf("%v by FourCC %q", p.Kind, p.FourCC)})
	}
	p.Type = p.typeBy(number)
	if p.Type == packetUnknown {
		return true
	}
	if p.Kind == Video && number == byte(PacketFrame) && p.FourCC.composed() {
		if len(body) < 3 {
			return yield(ErrShort)
		}
		p.Composition = composition(body)
		body = body[3:]
	}
	p.Data = body
	return p.yield(yield)
}

// typeBy is what a packet type of an enhanced header is called here.
func (p *Packet) typeBy(number byte) PacketType {
	switch {
	case number <= byte(PacketEnd):
		return PacketType(number)
	case p.Kind == Video && number == enhancedFrameX:
		return PacketFrame
	case p.Kind == Video && number == enhancedColour:
		return PacketColour
	case p.Kind == Audio && number == enhancedChannels:
		return PacketChannels
	}
	return packetUnknown
}
