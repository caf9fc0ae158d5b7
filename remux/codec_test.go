package remux

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Parameter sets of libx264 by ffmpeg 5.1; those without VUI have had it cut
// out.
var (
	mainSPS = unhex("674d401eeca06c1ef37ff828002808800000030080000019078b16cb") // 854 × 480, 25/s
	mainPPS = unhex("68ebe3cb20")
	highSPS = unhex("67640028acd940780227e5c05a808080a000007d20001d4c01e30632c0") // 1920 × 1080, 29.97/s
	highPPS = unhex("68ebe3cb22c0")
)

func TestH264(t *testing.T) {
	for _, c := range []struct {
		name, sps, codec, want string
	}{
		{"baseline", "6742c00dd901419f9f0110000003001000000303c0f142a480", "avc1.42c00d", "320×180 sar [1 1] rate 30 chroma 1 [8 8]"},
		{"baseline without VUI", "6742c00dd901419f9d", "avc1.42c00d", "320×180 sar [0 0] rate 0 chroma 1 [8 8]"},
		{"main", "674d401eeca06c1ef37ff828002808800000030080000019078b16cb", "avc1.4d401e", "854×480 sar [1280 1281] rate 25 chroma 1 [8 8]"},
		{"main without VUI", "674d401eeca06c1ef368", "avc1.4d401e", "854×480 sar [0 0] rate 0 chroma 1 [8 8]"},
		{"high", "67640028acd940780227e5c05a808080a000007d20001d4c01e30632c0", "avc1.640028", "1920×1080 sar [1 1] rate 29.97 chroma 1 [8 8] colour {1 1 1 false}"},
		{"high without VUI", "67640028acd940780227e540", "avc1.640028", "1920×1080 sar [0 0] rate 0 chroma 1 [8 8]"},
		{"high, wide pixels", "6764001eacd940b4126ffc010000b440000003004000000c83c58b6580", "avc1.64001e", "720×576 sar [64 45] rate 25 chroma 1 [8 8]"},
		{"high 10", "676e000da6cd941419f9f0110000030001000003003c0f142996", "avc1.6e000d", "320×180 sar [1 1] rate 30 chroma 1 [10 10]"},
		{"empty", "67640028", "", "H.264 SPS"},
		{"noise", "6764002800000000000000000000ffffff", "", "H.264 SPS"},
		{"Exp-Golomb overflow", "6742c00d000000000000000000000000000000000000", "", "H.264 SPS"},
	} {
		h, err := newH264([][]byte{unhex(c.sps)}, [][]byte{highPPS})
		if err != nil {
			if c.codec != "" || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		rate := 0.0
		if h.FrameRate.Den > 0 {
			rate = float64(h.FrameRate.Num) / float64(h.FrameRate.Den)
		}
		got := fmt.Sprintf("%d×%d sar %v rate %.4g chroma %d %v", h.Width, h.Height, h.SAR, rate, h.ChromaFormat, h.BitDepth)
		if h.Colour != nil {
			got += fmt.Sprintf(" colour %v", *h.Colour)
		}
		if h.String() != c.codec || got != c.want {
			t.Errorf("%s: %v, %s; want %s, %s", c.name, h, got, c.codec, c.want)
		}
	}
	if _, err := newH264([][]byte{highSPS}, nil); err == nil {
		t.Error("no PPS, no error")
	}
}

var aacConfigs = []struct {
	name, config, codec, want string
}{
	{"LC 44.1 kHz mono", "1208", "mp4a.40.2", "44100 Hz, 1 ch, 1024: 1208"},
	{"LC 48 kHz stereo", "1190", "mp4a.40.2", "48000 Hz, 2 ch, 1024: 1190"},
	{"LC 48 kHz 5.1", "11b0", "mp4a.40.2", "48000 Hz, 6 ch, 1024: 11b0"},
	{"LC 48 kHz 7.1", "11b8", "mp4a.40.2", "48000 Hz, 8 ch, 1024: 11b8"},
	{"ffmpeg's, which says there is no SBR", "119056e500", "mp4a.40.2", "48000 Hz, 2 ch, 1024: 1190"},
	{"garbage behind it (Omnia)", "1190ffffff", "mp4a.40.2", "48000 Hz, 2 ch, 1024: 1190"},
	{"960 samples", "1194", "mp4a.40.2", "48000 Hz, 2 ch, 960: 1194"},
	{"rate by number", "1780bb8010", "mp4a.40.2", "96000 Hz, 2 ch, 1024: 1010"},
	{"program config element, 5.1 with side speakers (ffmpeg)", "118004c844002000c40d4c61766335392e33372e31303056e500", "mp4a.40.2", "48000 Hz, 6 ch, 1024: 11b0 a09908800400188000"},
	{"program config element, 7.1 wide (ffmpeg)", "118004c848002000c6400d4c61766335392e33372e31303056e500", "mp4a.40.2", "48000 Hz, 8 ch, 1024: 11b8 a0990900040018c800"},
	{"program config element in the order of 5.1", "118004c8050001088000", "mp4a.40.2", "48000 Hz, 6 ch, 1024: 11b0"},
	{"7.1 with back speakers, which players have as 7.1", "11e0", "mp4a.40.2", "48000 Hz, 8 ch, 1024: 11b8"},
	{"program config element, four corners (ffmpeg)", "118004c4040021100d4c61766335392e33372e31303056e500", "mp4a.40.2", "48000 Hz, 4 ch, 1024: 11a0 a0988080042200"},
	{"program config element, 6.1 (ffmpeg)", "118004c848002000c4400d4c61766335392e33372e31303056e500", "", "AAC of 7 channels is not played by browsers: set"},
	{"program config element, cut short", "118004c844002000c40d4c61", "", "AAC program config element is cut short"},
	{"program config element, empty", "1180048000", "", "AAC program config element"},
	{"HE-AAC, explicit", "2b118800", "mp4a.40.5", "24000 Hz, 2 ch, 1024: 2b118800"},
	{"HE-AAC v2, explicit", "eb098800", "mp4a.40.29", "24000 Hz, 2 ch, 1024: eb098800"},
	{"HE-AAC, backward compatible", "131056e598", "mp4a.40.5", "24000 Hz, 2 ch, 1024: 131056e598"},
	{"HE-AAC v2, backward compatible", "130856e59d4880", "mp4a.40.5", "24000 Hz, 1 ch, 1024: 130856e59d4880"},
	{"empty", "", "", "AAC configuration"},
	{"one byte", "11", "", "AAC configuration"},
	{"AAC Main", "0990", "", "AAC Main is not played by browsers: set"},
	{"AAC-ELD", "f8e62000", "", "AAC-ELD is not played by browsers: set"},
	{"object type 6", "3190", "", "MPEG-4 audio of object type 6 is not"},
	{"7.1 with top speakers", "11f0", "", "AAC configuration: channel configuration 14"},
	{"HE-AAC without a rate", "2b168800", "", "AAC configuration: sample rate"},
	{"rate index 13", "1690", "", "AAC configuration"},
	{"rate 1 Hz", "1780000090", "", "AAC configuration"},
	{"channel configuration 15", "11f8", "", "AAC configuration"},
}

// TestAVCTold: that few players decode a format is said once, and what to set instead.
func TestAVCTold(t *testing.T) {
	for _, c := range []struct {
		name, sps string
		want      []string
	}{
		{"4:2:0, 8 bits", "6742c00dd901419f9d", nil},
		{"10 bits", "676e000da6cd941419f9f0110000030001000003003c0f142996", []string{errAVCFormat.text}},
		{"4:2:2", "677a000dbcb40a0cfc6e0220000003002000000781e28554", []string{errAVCFormat.text}},
		{"4:4:4", "67f4000d919681419f8dc044000003000400000300f03c50aa80", []string{errAVCFormat.text}},
	} {
		f := newFeed(t)
		f.videoConfig(record(unhex(c.sps), highPPS))
		f.key(0)
		f.inter(33)
		f.key(66)
		f.r.Close(nil)
		if !slices.Equal(f.notes, c.want) {
			t.Errorf("%s: %q, not %q", c.name, f.notes, c.want)
		}
	}
}

func TestAAC(t *testing.T) {
	for _, c := range aacConfigs {
		a, err := newAAC(unhex(c.config))
		if err != nil {
			if c.codec != "" || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		got := fmt.Sprintf("%d Hz, %d ch, %d: %x", a.SampleRate, a.Channels, a.FrameSamples, a.Config)
		if a.program != nil {
			got += fmt.Sprintf(" %x", a.program)
		}
		if a.String() != c.codec || got != c.want {
			t.Errorf("%s: %v, %s; want %s, %s", c.name, a, got, c.codec, c.want)
		}
	}
}
