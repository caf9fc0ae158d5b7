package flv

import (
	"errors"
	"fmt"
	"iter"
)

// Packet is what a tag carries of one track. Nobody behind Packets asks how it was
// framed: AVC and AAC by their old numbers are the FourCCs avc1 and mp4a.
type Packet struct {
	Type     PacketType
	Kind     Kind  // of the track; says nothing where Type is PacketMetadata
	TrackID  uint8 // 0 for the only track of its kind
	Keyframe bool  // as the encoder says; an IDR NAL unit is the proof

	FourCC      FourCC // 0 where Type is PacketMetadata
	Timestamp   uint32 // milliseconds modulo 2^32
	Nanos       uint32 // how far behind Timestamp it is decoded
	Composition int32  // milliseconds, PTS − DTS; some encoders go below zero

	Data []byte // aliases the tag's body
}

// PacketType is what a packet is for.
type PacketType uint8

// The types of packets.
const (
	PacketConfig   PacketType = iota // decoder configuration record
	PacketFrame                      // access units, in time
	PacketEnd                        // of the sequence
	PacketMetadata                   // the body of a script tag
)

// Kind tells video from audio.
type Kind uint8

// The kinds of tracks.
const (
	Video Kind = iota
	Audio
)

func (k Kind) String() string {
	if k == Video {
		return "video"
	}
	return "audio"
}

// FourCC names a codec.
type FourCC uint32

// Codecs that have a number of their own in FLV.
const (
	AVC1 FourCC = 'a'<<24 | 'v'<<16 | 'c'<<8 | '1'
	MP4A FourCC = 'm'<<24 | 'p'<<16 | '4'<<8 | 'a'
)

func (f FourCC) String() string {
	return string([]byte{byte(f >> 24), byte(f >> 16), byte(f >> 8), byte(f)})
}

// ErrEmpty is the body of a tag that carries nothing: legal, and sent by
// encoders as silence or as a keep-alive.
var ErrEmpty = errors.New("empty tag")

// ErrShort is the body of a tag that ends inside its header.
var ErrShort = errors.New("tag ends inside its header")

// UnsupportedError is a tag in a format that this package doesn't read.
type UnsupportedError struct{ Format string }

func (e *UnsupportedError) Error() string { return e.Format + " is not supported" }

// Packets yields the packets of a tag; of one that can't be read ErrEmpty, ErrShort
// or an *UnsupportedError, and a Packet that says no more than whose it was. What is
// of a type that nobody knows is left out. Their data aliases the tag's body.
func Packets(tag Tag) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) { tag.packets(yield) }
}

func (t Tag) packets(yield func(Packet, error) bool) {
	p := Packet{Timestamp: t.Timestamp}
	var err error
	switch t.Type {
	case TagScript:
		p.Type, p.Data = PacketMetadata, t.Body
	case TagVideo:
		p.Kind = Video
		err = p.video(t.Body)
	case TagAudio:
		p.Kind = Audio
		err = p.audio(t.Body)
	default:
		return
	}
	if err == nil && p.Type != PacketEnd && p.Type != PacketMetadata && len(p.Data) == 0 {
		err = ErrEmpty
	}
	if p.Type != packetUnknown || err != nil {
		yield(p, err)
	}
}

// packetUnknown stays in this file.
const packetUnknown PacketType = 255

// typeOf is the type of an AVC or AAC tag (annex E.4.3.1 and E.4.2.1). AAC has the
// first two only.
func typeOf(b byte) PacketType {
	if b > byte(PacketEnd) {
		return packetUnknown
	}
	return PacketType(b)
}

var legacyVideo = map[byte]string{
	1: "JPEG", 2: "Sorenson H.263", 3: "Screen video", 4: "VP6", 5: "VP6 with alpha",
	6: "Screen video 2", 8: "H.263", 9: "MPEG-4 part 2", 12: "HEVC by codec id 12", 13: "AV1 by codec id 13",
}

var legacyAudio = map[byte]string{
	0: "LPCM", 1: "ADPCM", 2: "MP3", 3: "LPCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser",
	7: "G.711 A-law", 8: "G.711 µ-law", 11: "Speex", 13: "Opus by sound format 13", 14: "MP3 at 8 kHz",
}

// video reads the body of a video tag.
func (p *Packet) video(body []byte) error {
	if len(body) == 0 {
		return ErrEmpty
	}
	const infoFrame, exHeader, avc = 5, 0x80, 7
	b := body[0]
	if b&exHeader != 0 {
		return &UnsupportedError{"video by FourCC " + quoteFourCC(body)}
	}
	if b>>4 == infoFrame {
		return ErrEmpty // a seek command, one byte
	}
	if codec := b & 0x0F; codec != avc {
		return &UnsupportedError{"video codec " + name(legacyVideo, codec)}
	}
	if len(body) < 5 {
		return ErrShort
	}
	p.Type, p.FourCC = typeOf(body[1]), AVC1
	p.Keyframe = b>>4 == 1 || b>>4 == 4
	p.Composition = int32(uint24(body[2:])<<8) >> 8
	p.Data = body[5:]
	return nil
}

// audio reads the body of an audio tag.
func (p *Packet) audio(body []byte) error {
	if len(body) == 0 {
		return ErrEmpty
	}
	const exHeader, aac = 9, 10
	switch format := body[0] >> 4; format {
	case aac:
	case exHeader:
		return &UnsupportedError{"audio by FourCC " + quoteFourCC(body)}
	default:
		return &UnsupportedError{"audio format " + name(legacyAudio, format)}
	}
	if len(body) < 2 {
		return ErrShort
	}
	p.Type, p.FourCC, p.Data = typeOf(body[1]), MP4A, body[2:]
	return nil
}

func name(names map[byte]string, id byte) string {
	if n, ok := names[id]; ok {
		return n
	}
	return fmt.Sprint(id)
}

func quoteFourCC(body []byte) string {
	if len(body) < 5 {
		return "(none)"
	}
	return fmt.Sprintf("%q", body[1:5])
}
