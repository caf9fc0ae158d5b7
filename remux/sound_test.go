package remux

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// eachTag reads a recording of what an encoder sent.
func eachTag(t testing.TB, name string, do func(flv.Tag)) {
	t.Helper()
	file, err := os.Open("../ingest/testdata/wire/" + name + ".flv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tags, err := flv.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for {
		tag, err := tags.ReadTag()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		do(tag)
	}
}

// fileOf is a recording of a codec that needs no container.
func fileOf(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/sound/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// soundOf is what is said of a track, in a line.
func soundOf(t Track) string {
	s := t.Sound
	text := fmt.Sprintf("%s %d Hz %d channels", t.Codecs, s.SampleRate, s.Channels)
	if s.Layout > 0 {
		text += fmt.Sprintf(" layout %d", s.Layout)
	}
	if s.Dolby > 0 {
		text += fmt.Sprintf(" Dolby %04X", s.Dolby)
	}
	if s.Objects > 0 {
		text += fmt.Sprintf(" objects %d", s.Objects)
	}
	return fmt.Sprintf("%s, units of %d", text, t.UnitDuration)
}

// TestSounds: each frame that an encoder sends comes out as it is, in one period,
// where the one before ends.
func TestSounds(t *testing.T) {
	for name, want := range map[string]string{
		"av1-opus":               "Opus 48000 Hz 1 channels layout 1, units of 960",
		"made-opus-id13":         "Opus 48000 Hz 1 channels layout 1, units of 960",
		"h264-opus51":            "Opus 48000 Hz 6 channels layout 6, units of 960",
		"made-opus51-no-header":  "Opus 48000 Hz 6 channels layout 6, units of 960",
		"h264-flac":              "fLaC 48000 Hz 1 channels layout 1, units of 1024",
		"made-flac-whole-header": "fLaC 48000 Hz 1 channels layout 1, units of 1024",
		"h264-ac3":               "ac-3 48000 Hz 1 channels Dolby 4000, units of 1536",
		"h264-ac3-51":            "ac-3 48000 Hz 6 channels Dolby F801, units of 1536",
		"h264-eac3":              "ec-3 48000 Hz 1 channels Dolby 4000, units of 1536",
		"h264-mp3":               "mp4a.40.34 48000 Hz 1 channels layout 1, units of 1152",
		"made-mp3-id14":          "mp4a.40.34 48000 Hz 1 channels layout 1, units of 1152",
		"h264-aac51":             "mp4a.40.2 48000 Hz 6 channels layout 6, units of 1024",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFeed(t)
			var in [][]byte
			eachTag(t, name, func(tag flv.Tag) {
				if tag.Type == flv.TagVideo {
					return
				}
				for p, err := range flv.Packets(tag) {
					if err == nil && p.Type == flv.PacketFrame {
						in = append(in, bytes.Clone(p.Data))
					}
				}
				if f.tag(tag.Type, tag.Timestamp, tag.Body); f.err != nil {
					t.Fatal(f.err)
				}
			})
			f.r.Close(nil)
			if len(f.out.periods) != 1 {
				t.Fatalf("%d periods", len(f.out.periods))
			}
			if got := soundOf(f.out.periods[0][0]); got != want {
				t.Errorf("it is %s", got)
			}
			if len(in) == 0 || !bytes.Equal(bytes.Join(in, nil), bytes.Join(f.out.units, nil)) || len(f.out.units) != len(in) {
				t.Errorf("%d frames come out as %d units", len(in), len(f.out.units))
			}
			for i, s := range f.out.samples[1:] {
				if before := f.out.samples[i]; s.DTS != before.DTS+int64(before.Duration) {
					t.Errorf("unit %d is %d samples behind the end of the one before", i+1, s.DTS-before.DTS-int64(before.Duration))
				}
			}
			for _, note := range f.notes {
				if note != errMP3.text && note != errAC3.text {
					t.Error(note)
				}
			}
		})
	}
}

// TestFramesInOneMessage: a message with several frames is taken apart.
func TestFramesInOneMessage(t *testing.T) {
	for name, c := range map[string]struct {
		fourCC, want string
		units        int
	}{
		"eac3-5.1.ec3":     {"ec-3", "ec-3 48000 Hz 6 channels Dolby F801, units of 1536", 5},
		"stereo-44100.ac3": {"ac-3", "ac-3 44100 Hz 2 channels Dolby A000, units of 1536", 5},
		"mpeg1.mp3":        {".mp3", "mp4a.40.34 44100 Hz 2 channels layout 2, units of 1152", 7},
		"mpeg2.mp3":        {".mp3", "mp4a.40.34 22050 Hz 2 channels layout 2, units of 576", 8},
		"mpeg2.5-mono.mp3": {".mp3", "mp4a.40.34 8000 Hz 1 channels layout 1, units of 576", 5},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFeed(t)
			data := fileOf(t, name)
			f.tag(flv.TagAudio, 0, []byte{0x91}, []byte(c.fourCC), data, []byte{0, 0})
			f.r.Close(nil)
			if len(f.out.periods) != 1 {
				t.Fatalf("%d periods, %q", len(f.out.periods), f.notes)
			}
			if got := soundOf(f.out.periods[0][0]); got != c.want {
				t.Errorf("it is %s", got)
			}
			if !bytes.Equal(bytes.Join(f.out.units, nil), data) || len(f.out.units) != c.units {
				t.Errorf("%d bytes come out as %d units of %d", len(data), len(f.out.units), len(bytes.Join(f.out.units, nil)))
			}
			for i, s := range f.out.samples[1:] {
				if before := f.out.samples[i]; s.DTS != before.DTS+int64(before.Duration) {
					t.Errorf("unit %d is %d samples behind the end of the one before", i+1, s.DTS-before.DTS-int64(before.Duration))
				}
			}
		})
	}
}

// TestCodecOfSoundChanges: what says by itself what it is takes over where it begins,
// and MultichannelConfig for AAC changes nothing.
func TestCodecOfSoundChanges(t *testing.T) {
	f := newFeed(t)
	mp3 := fileOf(t, "mpeg1.mp3")
	channels := append([]byte{0x94}, "mp4a\x01\x06\x00\x00\x06\x3f"...)
	f.tag(flv.TagAudio, 0, channels)
	f.audioConfig(stereo48)
	f.tag(flv.TagAudio, 0, channels)
	ts := uint32(0)
	for range 100 {
		f.sound(ts)
		ts += 21
	}
	for range 10 {
		f.tag(flv.TagAudio, ts, []byte{0x2F}, mp3)
		ts += 183
	}
	f.tag(flv.TagAudio, ts, []byte{0x94}, []byte("Opus\x01\x02")) // nobody asked
	f.tag(flv.TagAudio, ts, []byte{0x91}, []byte("Opus"), unhex("fc fffe"))
	f.r.Close(nil)
	var got []string
	for _, p := range f.out.periods {
		got = append(got, soundOf(p[0]))
	}
	want := []string{
		"mp4a.40.2 48000 Hz 2 channels layout 2, units of 1024",
		"mp4a.40.34 44100 Hz 2 channels layout 2, units of 1152",
		"Opus 48000 Hz 2 channels layout 2, units of 960",
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") || len(f.out.units) != 100+70+1 {
		t.Errorf("%d units of %q", len(f.out.units), got)
	}
}

// TestSoundChangesBesideAPicture: another configuration, or another codec, takes over at
// the next keyframe, as AAC's does; the same one again changes nothing.
func TestSoundChangesBesideAPicture(t *testing.T) {
	head := func(channels byte) []byte {
		return []byte("\x90OpusOpusHead\x01" + string(channels) + "\x38\x01\x80\xbb\x00\x00\x00\x00\x00")
	}
	packet := []byte("\x91Opus\xf8\xff\xfe")
	flac := &FLAC{Sound: Sound{SampleRate: 48000, Channels: 2}, BitsPerSample: 16, least: 960, most: 960}
	flac.complete()
	f := newFeed(t)
	f.videoConfig(record(highSPS, highPPS))
	configs := [][]byte{head(2), head(2), head(1), append([]byte("\x90fLaC"), flac.StreamInfo...)}
	for ts := uint32(0); ts < 8000; ts += 20 {
		if ts%2000 == 500 || ts == 0 {
			f.tag(flv.TagAudio, ts, configs[ts/2000])
		}
		if ts%1000 == 0 {
			f.key(ts)
		} else if ts%40 == 0 {
			f.inter(ts)
		}
		if ts < 6500 {
			f.tag(flv.TagAudio, ts, packet)
		} else {
			f.tag(flv.TagAudio, ts, []byte("\x91fLaC"), flac.silent)
		}
	}
	f.r.Close(nil)
	var got []string
	for _, p := range f.out.periods {
		if len(p) != 2 {
			t.Fatalf("%d tracks", len(p))
		}
		got = append(got, soundOf(p[1]))
	}
	want := []string{
		"Opus 48000 Hz 2 channels layout 2, units of 960",
		"Opus 48000 Hz 1 channels layout 1, units of 960",
		"fLaC 48000 Hz 2 channels layout 2, units of 960",
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") || len(f.notes) != 0 {
		t.Errorf("%q, notes %q", got, f.notes)
	}
	// What comes between a configuration and the keyframe behind it is for nobody.
	if n := len(f.out.units); n != 400-2*25 {
		t.Errorf("%d units", n)
	}
}
