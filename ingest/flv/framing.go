package flv

import "encoding/binary"

// Drawn is a tag in two pieces, so that the second need not be copied: its body is
// Head, and behind that Tag.Body.
type Drawn struct {
	Head []byte
	Tag
}

// Framing is how the tags of one track begin. What those before Enhanced RTMP had a
// number for has that number, unless it isn't the only track of its kind.
type Framing struct {
	FourCC  FourCC // of a codec that has a name here
	TrackID uint8  // 0 for the only track of its kind, or the first
	Sound   byte   // of MP3: rate, size and channels, as SoundFlags says
}

// SoundFlags are the lower half of the first byte of a sound tag (annex E.4.2.1): to
// those who look at them they say how MP3 sounds.
func SoundFlags(rate, channels int) byte {
	const sixteenBit, stereo = 2, 1
	flags := byte(sixteenBit)
	switch {
	case rate >= 44100: // 48 kHz has no number: all write this one
		flags |= 3 << 2
	case rate >= 22050:
		flags |= 2 << 2
	case rate >= 11025:
		flags |= 1 << 2
	}
	if channels > 1 {
		flags |= stereo
	}
	return flags
}

// Legacy tells whether readers need to know nothing of Enhanced RTMP for it.
func (f Framing) Legacy() bool { return f.TrackID == 0 && f.FourCC.Legacy() }

// Legacy tells whether a codec has a number that all know.
func (f FourCC) Legacy() bool { return f == AVC1 || f == MP4A || f == MP3 }

// AppendHead appends what stands in front of a packet's data: of PacketConfig or
// PacketFrame. composition is in milliseconds, and goes with pictures alone.
func (f Framing) AppendHead(dst []byte, t PacketType, keyframe bool, composition int32) []byte {
	if f.FourCC.Kind() == Audio {
		return f.appendAudio(dst, t)
	}
	frameType := byte(2)
	if keyframe {
		frameType = 1
	}
	if f.Legacy() {
		return appendInt24(append(dst, frameType<<4|7, byte(t)), composition)
	}
	number := byte(t)
	composed := f.FourCC.composed() && t == PacketFrame
	if composed && composition == 0 {
		number, composed = enhancedFrameX, false
	}
	const exHeader = 0x80
	if f.TrackID == 0 {
		dst = append(dst, exHeader|frameType<<4|number)
	} else {
		dst = append(dst, exHeader|frameType<<4|enhancedPictures, oneTrack<<4|number)
	}
	if dst = f.appendName(dst); composed {
		dst = appendInt24(dst, composition)
	}
	return dst
}

func (f Framing) appendAudio(dst []byte, t PacketType) []byte {
	const exHeader = 9
	switch {
	case f.Legacy() && f.FourCC == MP3:
		return append(dst, 2<<4|f.Sound)
	case f.Legacy():
		return append(dst, 0xAF, byte(t))
	case f.TrackID == 0:
		dst = append(dst, exHeader<<4|byte(t))
	default:
		dst = append(dst, exHeader<<4|enhancedTracks, oneTrack<<4|byte(t))
	}
	return f.appendName(dst)
}

func (f Framing) appendName(dst []byte) []byte {
	if dst = binary.BigEndian.AppendUint32(dst, uint32(f.FourCC)); f.TrackID > 0 {
		dst = append(dst, f.TrackID)
	}
	return dst
}

func appendInt24(dst []byte, v int32) []byte { return append(dst, byte(v>>16), byte(v>>8), byte(v)) }
