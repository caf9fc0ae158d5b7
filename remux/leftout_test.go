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
		{"Opus in ambisonics", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			f.tag(flv.TagAudio, 0, []byte("\x90OpusOpusHead\x01\x04\x38\x01\x80\xbb\x00\x00\x00\x00\x02\x04\x00\x00\x01\x02\x03"))
			f.tag(flv.TagAudio, 0, []byte("\x94Opus\x01\x04"))
			pictures(f)
			sounds(f, 3, []byte("\x91Opus\xfc\xff\xfe")...)
		}, []string{"the sound is left out: Opus in a channel layout"}, "stereo or 5.1"},
		{"MP2", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			pictures(f)
			sounds(f, 3, 0x2F, 0xFF, 0xFD, 0x94, 0x00)
		}, []string{"the sound is left out: MPEG audio of layer"}, "audio codec to AAC"},
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
		{"Dolby Vision by a FourCC of its own", func(f *feed) {
			f.audioConfig(stereo48)
			for i := range uint32(60) {
				f.sound(21 * i)
				f.tag(flv.TagVideo, 21*i, append([]byte{0x91}, "dvh1\x00\x00\x00\x02"...))
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

// TestLeftOutByTrack: a track that can't be carried is left out, and named; the others go on.
func TestLeftOutByTrack(t *testing.T) {
	m := newMany(t)
	var told []string
	m.r.hooks.LeaveOut = func(list []string) { told = list }
	m.configure()
	m.packet(flv.Packet{Kind: Audio, TrackID: 7, FourCC: 'x'<<24 | 'y'<<16 | 'z'<<8 | '1', Type: flv.PacketFrame, Data: []byte{1}})
	m.packet(flv.Packet{Kind: Audio, TrackID: 8, FourCC: flv.MP4A, Type: flv.PacketConfig, Data: unhex("0990")}) // AAC Main
	m.play(0, 4000)
	want := []string{
		`track 8: the sound is left out: audio by FourCC "xyz1" is not supported: set the encoder's audio codec to AAC`,
		"track 9: the sound is left out: AAC Main",
	}
	if len(told) != 2 || told[0] != want[0] || !strings.HasPrefix(told[1], want[1]) {
		t.Errorf("%q, want %q", told, want)
	}
	m.packet(flv.Packet{Kind: Audio, TrackID: 8, FourCC: flv.MP4A, Type: flv.PacketConfig, Data: unhex(stereo48)})
	m.play(4000, 6000)
	m.r.Close(nil)
	if got := m.names(); got != "v1 v2 a1 a2 a3, v1 v2 a1 a2 a3 a9" || len(told) != 1 || told[0] != want[0] {
		t.Errorf("periods of %s, then %q", got, told)
	}
}

// TestNothingSaysWhy: where nothing is left, what the encoder is told says what to set.
func TestNothingSaysWhy(t *testing.T) {
	f := newFeed(t)
	for ts := uint32(0); f.err == nil && ts < 20_000; ts += 20 {
		f.tag(flv.TagVideo, ts, unhex("22 00"))
		f.tag(flv.TagAudio, ts, unhex("b2 00"))
	}
	for _, want := range []string{"Sorenson H.263", "video codec to H.264", "Speex", "audio codec to AAC"} {
		if f.err == nil || !strings.Contains(f.err.Error(), want) {
			t.Errorf("%v says nothing of %q", f.err, want)
		}
	}
}
