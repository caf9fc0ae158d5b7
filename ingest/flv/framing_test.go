package flv

import (
	"bytes"
	"testing"
)

// What is framed is read as it was, of every codec, as the only track and as another.
func TestFraming(t *testing.T) {
	for _, codec := range []FourCC{AVC1, HVC1, VVC1, AV01, VP09, VP08, MP4A, Opus, FLAC, MP3, AC3, EC3} {
		for _, f := range []Framing{{FourCC: codec}, {FourCC: codec, TrackID: 3}} {
			for _, kind := range []PacketType{PacketConfig, PacketFrame} {
				for _, composition := range []int32{0, 66, -1, 1<<23 - 1, -1 << 23} {
					want := Packet{Type: kind, Kind: codec.Kind(), TrackID: f.TrackID, FourCC: codec, Timestamp: 7, Data: []byte("data")}
					if want.Kind == Video {
						want.Keyframe = kind == PacketConfig || composition == 66
						if kind == PacketFrame && codec.composed() {
							want.Composition = composition
						}
					}
					if f.Legacy() && codec == MP3 {
						want.Type = PacketFrame // it has no other
					}
					body := append(f.AppendHead(nil, kind, want.Keyframe, want.Composition), want.Data...)
					tag := Tag{Type: TagAudio, Timestamp: 7, Body: body}
					if want.Kind == Video {
						tag.Type = TagVideo
					}
					n := 0
					for got, err := range Packets(tag) {
						n++
						if err != nil || got.Type != want.Type || got.Kind != want.Kind || got.TrackID != want.TrackID || got.Keyframe != want.Keyframe ||
							got.FourCC != want.FourCC || got.Timestamp != 7 || got.Composition != want.Composition || !bytes.Equal(got.Data, want.Data) {
							t.Errorf("%v %d: %x is %+v, %v; want %+v", codec, f.TrackID, body, got, err, want)
						}
					}
					if n != 1 {
						t.Errorf("%v %d: %x is %d packets", codec, f.TrackID, body, n)
					}
				}
			}
		}
	}
}

// Readers that know nothing of Enhanced RTMP are given what they know.
func TestFramingLegacy(t *testing.T) {
	for _, c := range []struct {
		f    Framing
		t    PacketType
		key  bool
		head string
	}{
		{Framing{FourCC: AVC1}, PacketConfig, true, "\x17\x00\x00\x00\x00"},
		{Framing{FourCC: AVC1}, PacketFrame, false, "\x27\x01\x00\x00\x00"},
		{Framing{FourCC: MP4A}, PacketConfig, false, "\xAF\x00"},
		{Framing{FourCC: MP4A}, PacketFrame, false, "\xAF\x01"},
		{Framing{FourCC: MP3, Sound: SoundFlags(48000, 2)}, PacketFrame, false, "\x2F"},
		{Framing{FourCC: MP3, Sound: SoundFlags(22050, 1)}, PacketFrame, false, "\x2A"},
	} {
		if got := string(c.f.AppendHead(nil, c.t, c.key, 0)); got != c.head {
			t.Errorf("%v: %x, want %x", c.f.FourCC, got, c.head)
		}
	}
}
