package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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

// carry has tags of a recording go through all rooms, those of the sound alone, but
// for those that are lost.
func carry(t *testing.T, path string, lost func(timestamp uint32) bool) carried {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tags, err := flv.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
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
	for {
		tag, err := tags.ReadTag()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if tag.Type != flv.TagAudio || lost != nil && lost(tag.Timestamp) {
			continue
		}
		now = began.Add(time.Duration(tag.Timestamp) * time.Millisecond)
		for p, err := range flv.Packets(tag) {
			switch {
			case err != nil:

			case p.Type == flv.PacketFrame:
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
			sound := carry(t, filepath.Join("../../ingest/testdata/wire", name+".flv"), nil)
			if _, err := mp4.DecodeFile(bytes.NewReader(sound.file)); err != nil {
				t.Errorf("mp4ff: %v", err)
			}
			if _, err := exec.LookPath("ffmpeg"); err != nil || testing.Short() {
				t.Skip("without ffmpeg")
			}
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
			sound := carry(t, filepath.Join("../../ingest/testdata/wire", name+".flv"), func(timestamp uint32) bool {
				return timestamp >= from && timestamp < to
			})
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
			if _, err := exec.LookPath("ffmpeg"); err != nil || testing.Short() || !c.silent {
				return
			}
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
