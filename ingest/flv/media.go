package flv

import (
	"errors"
	"fmt"
)

// ErrEmpty is the body of a tag that carries nothing: legal, and sent by
// encoders as silence or as a keep-alive.
var ErrEmpty = errors.New("empty tag")

// ErrShort is the body of a tag that ends inside its header.
var ErrShort = errors.New("tag ends inside its header")

// UnsupportedError is a tag in a format that this package doesn't read.
type UnsupportedError struct{ Format string }

func (e *UnsupportedError) Error() string { return e.Format + " is not supported" }

// PacketType is what an AVC or AAC tag carries (annex E.4.3.1 and E.4.2.1).
type PacketType uint8

// Packet types. AAC has the first two only.
const (
	PacketConfig        PacketType = 0 // decoder configuration record
	PacketFrame         PacketType = 1
	PacketEndOfSequence PacketType = 2
)

// Video is the parsed body of a video tag that carries AVC.
type Video struct {
	Packet          PacketType
	Keyframe        bool  // as the encoder says; an IDR NAL unit is the proof
	CompositionTime int32 // milliseconds, PTS − DTS; some encoders go below zero
	Data            []byte
}

// Audio is the parsed body of an audio tag that carries AAC.
type Audio struct {
	Packet PacketType
	Data   []byte
}

var legacyVideo = map[byte]string{
	1: "JPEG", 2: "Sorenson H.263", 3: "Screen video", 4: "VP6", 5: "VP6 with alpha",
	6: "Screen video 2", 8: "H.263", 9: "MPEG-4 part 2", 12: "HEVC by codec id 12", 13: "AV1 by codec id 13",
}

var legacyAudio = map[byte]string{
	0: "LPCM", 1: "ADPCM", 2: "MP3", 3: "LPCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser",
	7: "G.711 A-law", 8: "G.711 µ-law", 11: "Speex", 13: "Opus by sound format 13", 14: "MP3 at 8 kHz",
}

// ParseVideo parses the body of a video tag. Data aliases body.
func ParseVideo(body []byte) (Video, error) {
	if len(body) == 0 {
		return Video{}, ErrEmpty
	}
	const infoFrame, exHeader, avc = 5, 0x80, 7
	b := body[0]
	if b&exHeader != 0 {
		return Video{}, &UnsupportedError{"video by FourCC " + fourCC(body)}
	}
	if b>>4 == infoFrame {
		return Video{}, ErrEmpty // a seek command, one byte
	}
	if codec := b & 0x0F; codec != avc {
		return Video{}, &UnsupportedError{"video codec " + name(legacyVideo, codec)}
	}
	if len(body) < 5 {
		return Video{}, ErrShort
	}
	v := Video{
		Packet:          PacketType(body[1]),
		Keyframe:        b>>4 == 1 || b>>4 == 4,
		CompositionTime: int32(uint24(body[2:])<<8) >> 8,
		Data:            body[5:],
	}
	return v, checkPacket(v.Packet, v.Data)
}

// ParseAudio parses the body of an audio tag. Data aliases body.
func ParseAudio(body []byte) (Audio, error) {
	if len(body) == 0 {
		return Audio{}, ErrEmpty
	}
	const exHeader, aac = 9, 10
	switch format := body[0] >> 4; format {
	case aac:
	case exHeader:
		return Audio{}, &UnsupportedError{"audio by FourCC " + fourCC(body)}
	default:
		return Audio{}, &UnsupportedError{"audio format " + name(legacyAudio, format)}
	}
	if len(body) < 2 {
		return Audio{}, ErrShort
	}
	a := Audio{Packet: PacketType(body[1]), Data: body[2:]}
	return a, checkPacket(a.Packet, a.Data)
}

func checkPacket(p PacketType, data []byte) error {
	if p == PacketEndOfSequence || len(data) > 0 {
		return nil
	}
	return ErrEmpty
}

func name(names map[byte]string, id byte) string {
	if n, ok := names[id]; ok {
		return n
	}
	return fmt.Sprint(id)
}

func fourCC(body []byte) string {
	if len(body) < 5 {
		return "(none)"
	}
	return fmt.Sprintf("%q", body[1:5])
}
