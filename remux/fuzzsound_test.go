package remux

import (
	"bytes"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// checkSound reads a configuration and a message as a Remuxer does, and holds what
// comes of it to what all rooms behind this one count on.
func checkSound(t *testing.T, f flv.FourCC, record, data []byte) {
	t.Helper()
	bits := newCodec(f)
	if next, err := bits.configure(bytes.Clone(record)); err == nil {
		bits = next
	}
	if c, ok := bits.(channelled); ok {
		if next, err := c.channels(record); err == nil {
			bits = next
		}
	}
	before := bytes.Clone(data)
	for n := 0; len(data) > 0 && n < maxUnits; n++ {
		u, rest, err := bits.next(data, false)
		if len(rest) >= len(data) {
			t.Fatalf("%d of %d bytes are left", len(rest), len(data))
		}
		if data = rest; u == nil {
			if err == nil {
				t.Fatal("no unit, and no error")
			}
			continue
		}
		if len(u.data) == 0 || !u.sync || u.samples < 1 || u.samples > mostFLACBlock {
			t.Fatalf("a unit of %d bytes and %d samples", len(u.data), u.samples)
		}
		if c := bits.codec(); c != nil {
			checkSoundTrack(t, f, TrackOf(c))
		}
	}
	if !bytes.HasSuffix(before, data) {
		t.Fatal("the message was written to")
	}
}

func checkSoundTrack(t *testing.T, f flv.FourCC, track Track) {
	t.Helper()
	s := track.Sound
	if s.SampleRate < 1000 || s.SampleRate > 384_000 || track.Timescale != uint32(s.SampleRate) || s.Channels < 1 || s.Channels > 24 || s.Layout < 0 || s.Layout > 12 {
		t.Fatalf("%+v", s)
	}
	if track.Codec.equal(&H264{}) || !track.Codec.equal(track.Codec) {
		t.Error("it is unlike itself")
	}
	if track.Silence == nil {
		return
	}
	bits := newCodec(f)
	if c, ok := track.Codec.(*FLAC); ok {
		bits, _ = bits.configure(c.StreamInfo)
	}
	u, rest, err := bits.next(track.Silence, false)
	if err != nil || len(rest) > 0 || u.samples != int(track.SilenceDuration) || len(u.data) != len(track.Silence) {
		t.Errorf("silence of %d bytes: %v, %v", len(track.Silence), u, err)
	}
}

// addSounds adds recordings of a codec as seeds.
func addSounds(f *testing.F, codec flv.FourCC, names ...string) {
	f.Helper()
	for _, name := range names {
		var record []byte
		n := 0
		eachTag(f, name, func(tag flv.Tag) {
			for p, err := range flv.Packets(tag) {
				if err != nil || p.FourCC != codec {
					continue
				}
				if p.Type == flv.PacketConfig {
					record = bytes.Clone(p.Data)
				}
				if n++; p.Type == flv.PacketFrame && n < 8 {
					f.Add(record, bytes.Clone(p.Data))
				}
			}
		})
	}
}

func FuzzOpus(f *testing.F) {
	addSounds(f, flv.Opus, "av1-opus", "h264-opus51", "made-opus51-no-header")
	f.Add([]byte("OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"), []byte{0xFC, 0xFF, 0xFE})
	f.Fuzz(func(t *testing.T, record, data []byte) { checkSound(t, flv.Opus, record, data) })
}

func FuzzFLAC(f *testing.F) {
	addSounds(f, flv.FLAC, "h264-flac", "made-flac-whole-header")
	f.Fuzz(func(t *testing.T, record, data []byte) { checkSound(t, flv.FLAC, record, data) })
}

func FuzzAC3(f *testing.F) {
	addSounds(f, flv.AC3, "h264-ac3", "h264-ac3-51")
	addSounds(f, flv.EC3, "h264-eac3")
	f.Add([]byte(nil), fileOf(f, "eac3-5.1.ec3"))
	f.Add([]byte(nil), fileOf(f, "stereo-44100.ac3"))
	f.Fuzz(func(t *testing.T, record, data []byte) { checkSound(t, flv.EC3, record, data) })
}

func FuzzMP3(f *testing.F) {
	addSounds(f, flv.MP3, "h264-mp3")
	for _, name := range []string{"mpeg1.mp3", "mpeg2.mp3", "mpeg2.5-mono.mp3"} {
		f.Add([]byte(nil), fileOf(f, name))
	}
	f.Fuzz(func(t *testing.T, record, data []byte) { checkSound(t, flv.MP3, record, data) })
}
