package tags

import (
	"bytes"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/cmaf"
	"github.com/sluice-live/sluice/remux"
)

// Each codec has its name, and the configuration that encoders send of it.
func TestFraming(t *testing.T) {
	picture := remux.Picture{Width: 320, Height: 180}
	set := func(b ...byte) [][]byte { return [][]byte{b} }
	info := bytes.Repeat([]byte{7}, 34)
	for _, c := range []struct {
		codec  remux.Codec
		four   flv.FourCC
		config string // how it begins
		told   bool
	}{
		{&remux.H264{SPS: set(0x67, 0x64, 0, 0x28), PPS: set(0x68, 1), ChromaFormat: 1, BitDepth: [2]uint8{8, 8}, Picture: picture}, flv.AVC1, "\x01\x64\x00\x28\xFF\xE1", true},
		{&remux.H265{VPS: set(0x40, 1), SPS: set(0x42, 1), PPS: set(0x44, 1), General: [12]byte{1}, BitDepth: [2]uint8{8, 8}, Picture: picture}, flv.HVC1, "\x01\x01", true},
		{&remux.AV1{Sequence: []byte{10, 1, 0}, BitDepth: 8, Picture: picture}, flv.AV01, "\x81", true},
		{&remux.VPX{Name: "vp09", Level: 31, BitDepth: 8, Chroma: 1, Picture: picture}, flv.VP09, "\x01\x00\x00\x00\x00\x1F", true},
		{&remux.VPX{Name: "vp08", BitDepth: 8, Chroma: 1, Picture: picture}, flv.VP08, "\x01\x00\x00\x00", true},
		{&remux.AAC{Config: []byte{0x11, 0x90}, Sound: remux.Sound{SampleRate: 48000, Channels: 2}}, flv.MP4A, "\x11\x90", true},
		{&remux.Opus{Sound: remux.Sound{SampleRate: 48000, Channels: 2}, PreSkip: 312, Gain: -1}, flv.Opus, "OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\xff\xff\x00", true},
		{&remux.Opus{Sound: remux.Sound{SampleRate: 48000, Channels: 3}, Family: 1, Streams: 2, Coupled: 1, Mapping: []byte{0, 2, 1}}, flv.Opus,
			"OpusHead\x01\x03\x00\x00\x80\xbb\x00\x00\x00\x00\x01\x02\x01\x00\x02\x01", true},
		{&remux.FLAC{StreamInfo: info, Sound: remux.Sound{SampleRate: 48000, Channels: 2}}, flv.FLAC, string(info), true},
		{&remux.MP3{MPEG1: true, FrameSamples: 1152, Sound: remux.Sound{SampleRate: 44100, Channels: 2}}, flv.MP3, "", false},
		{&remux.AC3{Config: []byte{0, 0, 0}, Sound: remux.Sound{SampleRate: 48000, Channels: 6}}, flv.AC3, "", true},
		{&remux.AC3{Config: []byte{0, 0, 0}, Enhanced: true, Sound: remux.Sound{SampleRate: 48000, Channels: 6}}, flv.EC3, "", true},
	} {
		h := &packager.Header{Track: remux.TrackOf(c.codec)}
		var err error
		if h.Bytes, err = cmaf.Header(h.Track, 0, 0); err != nil {
			t.Fatal(err)
		}
		f, config, told := framing(h, 0)
		if f.FourCC != c.four || told != c.told || !bytes.HasPrefix(config, []byte(c.config)) || c.config == "" && len(config) > 0 {
			t.Errorf("%v: %v, %x, %v", c.codec, f.FourCC, config, told)
		}
	}
}
