package flv

import (
	"errors"
	"fmt"
	"iter"
)

// Packet is what a tag carries of one track. Nobody behind Packets asks how it was
// framed: what has a number in old headers is called by its FourCC, too.
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
	PacketConfig   PacketType = iota // decoder configuration record; may be empty where frames say it all
	PacketFrame                      // access units, in time
	PacketEnd                        // of the sequence
	PacketMetadata                   // the body of a script tag
	PacketColour                     // of a picture: names and values in AMF0, "colorInfo" among them
	PacketChannels                   // of a sound: which there are (Enhanced RTMP v2, AudioPacketType.MultichannelConfig)
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
	return func(yield func(Packet, error) bool) {
		var p Packet
		tag := tag // on the stack
		for err := range p.Read(&tag) {
			if !yield(p, err) {
				return
			}
		}
	}
}

// Read is Packets for who copies none: p is each of them in turn, and what is yielded is
// the error.
func (p *Packet) Read(tag *Tag) iter.Seq[error] {
	return func(yield func(error) bool) { p.read(tag, yield) }
}

func (p *Packet) read(t *Tag, yield func(error) bool) {
	*p = Packet{Timestamp: t.Timestamp}
	switch t.Type {
	case TagScript:
		p.Type, p.Data = PacketMetadata, t.Body
		yield(nil)
	case TagVideo:
		p.Kind = Video
		p.video(t.Body, yield)
	case TagAudio:
		p.Kind = Audio
		p.audio(t.Body, yield)
	}
}

// yield yields a packet that is read as a whole.
func (p *Packet) yield(yield func(error) bool) bool {
	switch {
	case p.Type == packetUnknown:
		return true
	case len(p.Data) == 0 && (p.Type == PacketFrame || p.Type == PacketConfig && !p.FourCC.selfDescribed()):
		return yield(ErrEmpty)
	}
	return yield(nil)
}

// packetUnknown stays in this file.
const packetUnknown PacketType = 255

// Codecs by a number (annex E.4.2.1 and E.4.3.1). HEVC, AV1 and Opus got theirs from
// those who couldn't wait; what is behind it is as it is for AVC and AAC.
var (
	videoCodecs = [16]FourCC{7: AVC1, 12: HVC1, 13: AV01}
	audioCodecs = [16]FourCC{2: MP3, 10: MP4A, 13: Opus, 14: MP3}
)

// typeOf is the type of a tag whose codec has a number. AAC has the first two only.
func typeOf(b byte) PacketType {
	if b > byte(PacketEnd) {
		return packetUnknown
	}
	return PacketType(b)
}

var legacyVideo = map[byte]string{
	1: "JPEG", 2: "Sorenson H.263", 3: "Screen video", 4: "VP6", 5: "VP6 with alpha",
	6: "Screen video 2", 8: "H.263", 9: "MPEG-4 part 2",
}

var legacyAudio = map[byte]string{
	0: "LPCM", 1: "ADPCM", 3: "LPCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser",
	7: "G.711 A-law", 8: "G.711 µ-law", 11: "Speex",
}

// video reads the body of a video tag.
func (p *Packet) video(body []byte, yield func(error) bool) {
	if len(body) == 0 {
		yield(ErrEmpty)
		return
	}
	const exHeader, commandFrame = 0x80, 5
	b := body[0]
	frameType := b >> 4 & 7
	if b&exHeader == 0 {
		frameType = b >> 4
	}
	p.Keyframe = frameType == 1 || frameType == 4
	codec := videoCodecs[b&0x0F]
	switch {
	case frameType == commandFrame && (b&exHeader == 0 || !mayBeColour(body)):
		yield(ErrEmpty) // a seek command, one byte
	case b&exHeader != 0:
		p.enhanced(b&0x0F, body[1:], yield)
	case codec == 0:
		yield(&UnsupportedError{"video codec " + name(legacyVideo, b&0x0F)})
	case len(body) < 5:
		yield(ErrShort)
	default:
		p.Type, p.FourCC = typeOf(body[1]), codec
		p.Composition, p.Data = composition(body[2:]), body[5:]
		p.yield(yield)
	}
}

// mayBeColour tells whether an enhanced tag is one of colour, of whatever frame type, rather
// than a command: encoders give those of several tracks that of a command, too.
func mayBeColour(body []byte) bool {
	switch body[0] & 0x0F {
	case enhancedColour, enhancedModifiers:
		return true
	case enhancedPictures:
		return len(body) > 1 && body[1]&0x0F == enhancedColour
	}
	return false
}

// composition is a composition time: 24 bits with a sign.
func composition(b []byte) int32 { return int32(uint24(b)<<8) >> 8 }

// audio reads the body of an audio tag.
func (p *Packet) audio(body []byte, yield func(error) bool) {
	if len(body) == 0 {
		yield(ErrEmpty)
		return
	}
	const exHeader = 9
	format := body[0] >> 4
	codec := audioCodecs[format]
	switch {
	case format == exHeader:
		p.enhanced(body[0]&0x0F, body[1:], yield)
	case codec == 0:
		yield(&UnsupportedError{"audio format " + name(legacyAudio, format)})
	case codec == MP3: // frames only, which say all
		p.Type, p.FourCC, p.Data = PacketFrame, codec, body[1:]
		p.yield(yield)
	case len(body) < 2:
		yield(ErrShort)
	default:
		p.Type, p.FourCC, p.Data = typeOf(body[1]), codec, body[2:]
		p.yield(yield)
	}
}

func name(names map[byte]string, id byte) string {
	if n, ok := names[id]; ok {
		return n
	}
	return fmt.Sprint(id)
}
