package remux

import (
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// TestLeftOut: what viewers don't get is said once, with what to set, and no longer
// once they do.
func TestLeftOut(t *testing.T) {
	sounds := func(f *feed, n int, body ...byte) {
		for i := range n {
			f.tag(flv.TagAudio, uint32(1200+21*i), body)
		}
	}
	pictures := func(f *feed) {
		for i := range uint32(40) {
			if i%20 == 0 {
				f.key(33 * i)
			} else {
				f.inter(33 * i)
			}
		}
	}
	for _, c := range []struct {
		name string
		send func(f *feed)
		want []string // parts of what is said at the end
		set  string   // in the encoder
	}{
		{"nothing", func(f *feed) { f.configs(); pictures(f) }, nil, ""},
		{"Speex", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			pictures(f)
			sounds(f, 3, 0xB2, 0xFF, 0xFB)
		}, []string{"the sound is left out: audio format Speex"}, "audio codec to AAC"},
		{"AAC Main", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			f.audioConfig("0990")
			pictures(f)
			sounds(f, 3, 0xAF, 1, 0x21, 0x10)
		}, []string{"the sound is left out: AAC Main"}, "AAC profile to LC"},
		{"seven channels", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			f.audioConfig("11d8")
			pictures(f)
		}, []string{"the sound is left out: AAC of 7 channels"}, "stereo"},
		{"AAC without a configuration", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			pictures(f)
			sounds(f, 3, 0xAF, 1, 0x21, 0x10)
		}, []string{"AAC before its configuration is left out"}, "let the encoder send it"},
		{"which comes later", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			pictures(f)
			sounds(f, 3, 0xAF, 1, 0x21, 0x10)
			f.audioConfig(stereo48)
			f.key(1320)
			sounds(f, 10, 0xAF, 1, 0x21, 0x10)
		}, nil, ""},
		{"VVC", func(f *feed) {
			f.audioConfig(stereo48)
			for i := range uint32(60) {
				f.sound(21 * i)
				f.tag(flv.TagVideo, 21*i, append([]byte{0x91}, "vvc1\x00\x00\x00\x02"...))
			}
		}, []string{"the picture is left out: video by FourCC"}, "video codec to H.264"},
		{"H.264 without a configuration", func(f *feed) {
			f.audioConfig(stereo48)
			for i := range uint32(60) {
				f.sound(21 * i)
				f.inter(21 * i)
			}
		}, []string{"video before its configuration is left out"}, "SPS and PPS"},
		{"intra refresh", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			pictures(f)
			f.tag(flv.TagVideo, 1320, []byte{0x27, 1, 0, 0, 0}, lengths(unhex("0606025d00 80"), slice))
		}, []string{"browsers can't join"}, "keyframe interval to 2 s"},
	} {
		f := newFeed(t)
		var told []string
		f.r.hooks.LeaveOut = func(list []string) { told = list }
		c.send(f)
		f.r.Close(nil)
		if len(told) != len(c.want) {
			t.Errorf("%s: %q", c.name, told)
			continue
		}
		for i, text := range told {
			if !strings.Contains(text, c.want[i]) || !strings.Contains(text, c.set) {
				t.Errorf("%s: %q", c.name, text)
			}
			if n := strings.Count(strings.Join(f.notes, "\n"), text); n != 1 {
				t.Errorf("%s: logged %d times", c.name, n)
			}
		}
	}
}
