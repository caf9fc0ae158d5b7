package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// carried is what became of the sound that an encoder sent.
type carried struct {
	window *packager.Window
	file   []byte // header and segments of the sound
	units  []byte // all that was sent
}

// recorded are the tags of a recording that are sound.
func recorded(t *testing.T, name string) (tags []flv.Tag) {
	t.Helper()
	file, err := os.Open(filepath.Join("../../ingest/testdata/wire", name+".flv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := flv.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for {
		tag, err := r.ReadTag()
		if err == io.EOF {
			return tags
		}
		if err != nil {
			t.Fatal(err)
		}
		if tag.Type == flv.TagAudio {
			tag.Body = bytes.Clone(tag.Body)
			tags = append(tags, tag)
		}
	}
}

// carry has tags of sound go through all rooms.
func carry(t *testing.T, tags []flv.Tag) carried {
	t.Helper()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	catalog := packager.NewCatalog(packager.Settings{
		Segments: 100, SegmentMinDuration: time.Second, SegmentMaxDuration: 10 * time.Second,
		PartDuration: 500 * time.Millisecond, Linger: time.Minute,
	}, func() time.Time { return now })
	name, err := packager.ParseStreamName("live", "cam1")
	if err != nil {
		t.Fatal(err)
	}
	publication, err := catalog.Publish(name)
	if err != nil {
		t.Fatal(err)
	}
	stream, _ := catalog.Lookup(name)
	r := remux.New(publication, func() time.Time { return now }, remux.Hooks{})
	var c carried
	began := now
	for _, tag := range tags {
		now = began.Add(time.Duration(tag.Timestamp) * time.Millisecond)
		for p, err := range flv.Packets(tag) {
			if err == nil && p.Type == flv.PacketFrame {
				c.units = append(c.units, p.Data...)
			}
		}
		if err := r.WriteTag(tag); err != nil {
			t.Fatal(err)
		}
	}
	r.Close(nil)
	c.window = stream.Window()
	rendition := &c.window.Renditions[0]
	c.file = bytes.Clone(rendition.Segments[0].Header.Bytes)
	for _, s := range rendition.Segments {
		for _, p := range s.Parts {
			c.file = append(c.file, p.Bytes...)
		}
	}
	return c
}

// TestSoundIsCarried: others find in our bytes what the encoder sent, unit by unit, and
// hear what they hear in it.
func TestSoundIsCarried(t *testing.T) {
	for name, c := range map[string]struct {
		probe string // codec, channels and rate by ffprobe
		bare  string // how the format is called that needs no container; none where there is none
	}{
		"av1-opus":               {"opus|48000|1|mono", ""},
		"h264-opus51":            {"opus|48000|6|5.1", ""},
		"made-opus51-no-header":  {"opus|48000|6|5.1", ""},
		"h264-flac":              {"flac|48000|1|mono", "flac"},
		"made-flac-whole-header": {"flac|48000|1|mono", "flac"},
		"h264-ac3":               {"ac3|48000|1|mono", "ac3"},
		"h264-ac3-51":            {"ac3|48000|6|5.1(side)", "ac3"},
		"h264-eac3":              {"eac3|48000|1|mono", "eac3"},
		"h264-mp3":               {"mp3|48000|1|mono", "mp3"},
		"h264-aac51":             {"aac|48000|6|5.1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			sound := carry(t, recorded(t, name))
			if _, err := mp4.DecodeFile(bytes.NewReader(sound.file)); err != nil {
				t.Errorf("mp4ff: %v", err)
			}
			if testing.Short() {
				t.Skip("decodes")
			}
			needs(t, "ffmpeg")
			path := filepath.Join(t.TempDir(), "sound.mp4")
			if err := os.WriteFile(path, sound.file, 0o644); err != nil {
				t.Fatal(err)
			}
			if got := hear(t, "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,sample_rate,channels,channel_layout", "-of", "compact=p=0:nk=1", path); strings.TrimRight(got, "|") != c.probe {
				t.Errorf("ffprobe: %s", got)
			}
			sum := md5.Sum(sound.units)
			if got := hear(t, "ffmpeg", "-v", "error", "-i", path, "-c", "copy", "-f", "streamhash", "-hash", "md5", "-"); !strings.HasSuffix(got, hex.EncodeToString(sum[:])) {
				t.Errorf("ffmpeg reads %s, not %x", got, sum)
			}
			heard := hear(t, "ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "streamhash", "-hash", "md5", "-")
			if c.bare == "" {
				return
			}
			head := []byte(nil)
			if c.bare == "flac" {
				head = append([]byte("fLaC\x80\x00\x00\x22"), sound.window.Renditions[0].Newest().Track.Codec.(*remux.FLAC).StreamInfo...)
			}
			bare := filepath.Join(t.TempDir(), "bare")
			if err := os.WriteFile(bare, append(head, sound.units...), 0o644); err != nil {
				t.Fatal(err)
			}
			if want := hear(t, "ffmpeg", "-v", "error", "-f", c.bare, "-i", bare, "-f", "streamhash", "-hash", "md5", "-"); heard != want {
				t.Errorf("what is heard is %s, not %s", heard, want)
			}
		})
	}
}

// hear returns what a program says.
func hear(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr strings.Builder
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Errorf("%s: %v, %s", name, err, stderr.String())
	}
	return strings.TrimRight(string(out), "\n")
}

// TestSoundThatStaysAway: where nothing comes, decoders find silence, or, in what we have
// no silence for, gaps.
func TestSoundThatStaysAway(t *testing.T) {
	const from, to = 900, 1700 // ms
	for name, c := range map[string]struct {
		silent bool
		floor  int // what is heard of silence behind sound
	}{
		"av1-opus": {true, 3}, "h264-opus51": {true, 3}, "h264-flac": {true, 0}, "h264-mp3": {true, 0}, "h264-aac51": {true, 0},
		"h264-ac3": {}, "h264-eac3": {},
	} {
		t.Run(name, func(t *testing.T) {
			sound := carry(t, slices.DeleteFunc(recorded(t, name), func(tag flv.Tag) bool {
				return tag.Timestamp >= from && tag.Timestamp < to
			}))
			gaps := 0
			for _, s := range sound.window.Renditions[0].Segments {
				for _, p := range s.Parts {
					if p.Gap {
						gaps++
					}
				}
			}
			if (gaps > 0) == c.silent {
				t.Errorf("%d gaps", gaps)
			}
			if testing.Short() || !c.silent {
				return // the rest is what ffmpeg hears of the silence
			}
			needs(t, "ffmpeg")
			path := filepath.Join(t.TempDir(), "sound.mp4")
			if err := os.WriteFile(path, sound.file, 0o644); err != nil {
				t.Fatal(err)
			}
			samples := hear(t, "ffmpeg", "-v", "error", "-xerror", "-i", path, "-af", "pan=mono|c0=c0", "-ar", "8000", "-f", "s8", "-")
			const rate, settles = 8, 150 // samples and ms, of a decoder that fades
			for at, v := range []byte(samples)[(from+settles)*rate : (to-settles)*rate] {
				if v := int(int8(v)); v > c.floor || v < -c.floor {
					t.Fatalf("%d is heard at %d ms", v, from+settles+at/rate)
				}
			}
			loud := 0
			for _, v := range []byte(samples)[:from*rate] {
				loud = max(loud, int(int8(v)))
			}
			if loud < 8 {
				t.Errorf("the sound itself is %d", loud)
			}
		})
	}
}

// TestSoundOfEncoders: for each way to encode, the header says what ffmpeg's own muxer
// says of it, and ffmpeg hears the same.
func TestSoundOfEncoders(t *testing.T) {
	if testing.Short() {
		t.Skip("encodes")
	}
	needs(t, "ffmpeg")
	const (
		surround = "pan=5.1|FL=c0|FR=0.5*c0|FC=0.3*c0|LFE=0.1*c0|BL=0.2*c0|BR=0.2*c0"
		cinema   = "pan=7.1|FL=c0|FR=0.5*c0|FC=0.3*c0|LFE=0.1*c0|BL=0.2*c0|BR=0.2*c0|SL=c0|SR=0.1*c0"
	)
	for args, c := range map[string]struct{ fourCC, box string }{
		"-ac 2 -c:a libopus":                             {"Opus", "dOps"},
		"-ac 1 -c:a libopus -frame_duration 2.5":         {"Opus", "dOps"},
		"-ac 2 -c:a libopus -frame_duration 60 -b:a 24k": {"Opus", "dOps"},
		"-c:a libopus -mapping_family 1 -af " + surround: {"Opus", "dOps"},
		"-c:a libopus -mapping_family 1 -af " + cinema:   {"Opus", "dOps"},
		"-ac 2 -c:a flac":                                {"fLaC", "dfLa"},
		"-ac 2 -ar 96000 -c:a flac -sample_fmt s32":      {"fLaC", "dfLa"},
		"-ac 1 -ar 192000 -c:a flac":                     {"fLaC", "dfLa"},
		"-c:a flac -ar 44100 -af " + surround:            {"fLaC", "dfLa"},
		"-ac 2 -ar 44100 -c:a ac3 -b:a 96k":              {"ac-3", "dac3"},
		"-c:a ac3 -b:a 448k -af " + surround:             {"ac-3", "dac3"},
		"-ac 2 -ar 32000 -c:a eac3 -b:a 64k":             {"ec-3", "dec3"},
		"-c:a eac3 -b:a 192k -af " + surround:            {"ec-3", "dec3"},
		"-ac 2 -ar 44100 -c:a libmp3lame -q:a 5":         {".mp3", "esds"},
		"-ac 1 -ar 22050 -c:a libmp3lame -b:a 32k":       {".mp3", "esds"},
	} {
		t.Run(args, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "source.mp4")
			line := append([]string{"-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "3"}, strings.Fields(args)...)
			hear(t, "ffmpeg", append(line, "-strict", "-2", "-movflags", "+frag_every_frame+delay_moov+default_base_moof", path)...)
			file, err := mp4.ReadMP4File(path)
			if err != nil {
				t.Fatal(err)
			}
			trak := file.Moov.Trak
			config := configOf(t, trak, c.box)
			var record []byte
			switch body := config[8:]; c.box {
			case "dOps":
				record = opusHead(body)
			case "dfLa":
				record = body[8:]
			}
			tags := []flv.Tag{{Type: flv.TagAudio, Body: append([]byte{0x90}, c.fourCC+string(record)...)}}
			timescale := uint64(trak.Mdia.Mdhd.Timescale)
			for _, s := range file.Segments {
				for _, f := range s.Fragments {
					samples, err := f.GetFullSamples(file.Moov.Mvex.Trex)
					if err != nil {
						t.Fatal(err)
					}
					for _, sample := range samples {
						ms := uint32((sample.DecodeTime*1000 + timescale/2) / timescale)
						tags = append(tags, flv.Tag{Type: flv.TagAudio, Timestamp: ms, Body: append([]byte{0x91}, c.fourCC+string(sample.Data)...)})
					}
				}
			}
			sound := carry(t, tags)
			ours, err := mp4.DecodeFile(bytes.NewReader(sound.file))
			if err != nil {
				t.Fatal(err)
			}
			got := configOf(t, ours.Moov.Trak, c.box)
			if c.box == "esds" { // ffmpeg's has bit rates, too
				got, config = got[19:20], config[25:26] // objectTypeIndication
			}
			if c.box == "dfLa" { // and what is true of its file alone
				clear(got[20:26])
				clear(config[20:26])
				clear(config[34:])
			}
			if c.box == "dec3" { // and the bit rate that was asked for
				got, config = got[10:], config[10:]
			}
			if !bytes.Equal(got, config) {
				t.Errorf("%s is\n%x, and by ffmpeg\n%x", c.box, got, config)
			}
			copied := filepath.Join(t.TempDir(), "copy.mp4")
			if err := os.WriteFile(copied, sound.file, 0o644); err != nil {
				t.Fatal(err)
			}
			for _, how := range []string{"copy", ""} {
				hash := func(path string) string {
					line := []string{"-v", "error", "-ignore_editlist", "1", "-i", path, "-f", "streamhash", "-hash", "md5", "-"}
					if how != "" {
						line = slices.Insert(line, len(line)-5, "-c", how)
					}
					return hear(t, "ffmpeg", line...)
				}
				if a, b := hash(path), hash(copied); a != b {
					t.Errorf("ffmpeg %s has %s in its own file, %s in ours", how, a, b)
				}
			}
		})
	}
}

// configOf is the configuration box of a sample entry, with its header.
func configOf(t *testing.T, trak *mp4.TrakBox, name string) []byte {
	t.Helper()
	entry, ok := trak.Mdia.Minf.Stbl.Stsd.Children[0].(*mp4.AudioSampleEntryBox)
	if !ok {
		t.Fatalf("%T is no sound", trak.Mdia.Minf.Stbl.Stsd.Children[0])
	}
	for _, box := range entry.Children {
		if box.Type() == name {
			var b bytes.Buffer
			if err := box.Encode(&b); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
	}
	t.Fatalf("no %s", name)
	return nil
}

// opusHead turns the body of a dOps box into an identification header.
func opusHead(b []byte) []byte {
	head := append([]byte("OpusHead\x01"), b[1], b[3], b[2], b[7], b[6], b[5], b[4], b[9], b[8])
	return append(head, b[10:]...)
}
