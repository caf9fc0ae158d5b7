package e2e

import (
	"bytes"
	wire "encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// Silence that is written in an encoder's stead: ffmpeg decodes it, alone and
// between what an encoder sent.

type silence struct {
	name         string
	channels     int
	config, unit []byte
}

func silences(t testing.TB) (list []silence) {
	t.Helper()
	text, err := os.ReadFile("../remux/testdata/silence.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var s silence
		if _, err := fmt.Sscanf(line, "%s %d %x %x", &s.name, &s.channels, &s.config, &s.unit); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, s)
	}
	return list
}

// aacFile writes AAC to an FLV file.
func aacFile(t testing.TB, config []byte, units [][]byte) string {
	t.Helper()
	file := []byte("FLV\x01\x04\x00\x00\x00\x09\x00\x00\x00\x00")
	tag := func(ms int, packet byte, data []byte) {
		body := append([]byte{0xAF, packet}, data...)
		file = append(file, 8, byte(len(body)>>16), byte(len(body)>>8), byte(len(body)), byte(ms>>16), byte(ms>>8), byte(ms), 0, 0, 0, 0)
		file = append(file, body...)
		file = wire.BigEndian.AppendUint32(file, uint32(11+len(body)))
	}
	tag(0, 0, config)
	for i, u := range units {
		tag(i*21, 1, u)
	}
	path := filepath.Join(t.TempDir(), "audio.flv")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// decoded are the samples of an audio file, all channels in turn, and how many
// channels those are.
func decoded(t testing.TB, path string) (samples []int16, channels int) {
	t.Helper()
	out, err := tool(t, 30*time.Second, "ffmpeg", "-nostdin", "-v", "error", "-xerror", "-err_detect", "explode", "-i", path, "-c:a", "pcm_s16le", "-f", "wav", "-bitexact", "-fflags", "+bitexact", "-")
	if err != nil {
		t.Fatal(err)
	}
	fmtChunk, data := bytes.Index(out, []byte("fmt ")), bytes.Index(out, []byte("data"))
	if fmtChunk < 0 || data < 0 {
		t.Fatalf("no WAV: %q", out[:min(len(out), 64)])
	}
	channels = int(wire.LittleEndian.Uint16(out[fmtChunk+10:]))
	for b := out[data+8:]; len(b) >= 2; b = b[2:] {
		samples = append(samples, int16(wire.LittleEndian.Uint16(b)))
	}
	return samples, channels
}

func loud(s int16) bool { return s != 0 }

// TestSilenceAlone: each configuration decodes to as many channels as it has, of
// nothing.
func TestSilenceAlone(t *testing.T) {
	needs(t, "ffmpeg")
	for _, s := range silences(t) {
		const units = 10
		samples, channels := decoded(t, aacFile(t, s.config, slices.Repeat([][]byte{s.unit}, units)))
		if channels != s.channels {
			t.Errorf("%s: %d channels, want %d", s.name, channels, s.channels)
		}
		if got := len(samples) / max(channels, 1); got < units*960 {
			t.Errorf("%s: %d samples of %d units", s.name, got, units)
		}
		if slices.ContainsFunc(samples, loud) {
			t.Errorf("%s: something is heard", s.name)
		}
	}
}

// TestSilenceBetween: an encoder's sound goes over into silence and comes back.
func TestSilenceBetween(t *testing.T) {
	needs(t, "ffmpeg")
	known := make(map[string]silence)
	for _, s := range silences(t) {
		known[hex.EncodeToString(s.config)] = s
	}
	for _, layout := range []string{"mono", "stereo", "3.0", "4.0", "5.0", "5.1", "7.1", "5.1(side)", "quad", "2.1", "6.1", "7.1(wide)", "octagonal"} {
		t.Run(layout, func(t *testing.T) {
			clip := filepath.Join(t.TempDir(), "clip.flv")
			if _, err := tool(t, 30*time.Second, "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "1",
				"-af", "aformat=channel_layouts="+layout, "-c:a", "aac", "-f", "flv", clip); err != nil {
				t.Fatal(err)
			}
			var config []byte
			var units [][]byte
			for _, tag := range clipTags(t, clip) {
				if tag.Type != flv.TagAudio {
					continue
				}
				if a := packetOf(t, tag); a.Type == flv.PacketConfig {
					config = bytes.TrimSuffix(a.Data, []byte{0x56, 0xE5, 0}) // ffmpeg says that there is no SBR
				} else {
					units = append(units, a.Data)
				}
			}
			s, ok := known[hex.EncodeToString(config)]
			if !ok {
				t.Fatalf("no silence is known for %x", config)
			}
			const before, silent = 20, 15
			samples, channels := decoded(t, aacFile(t, config, slices.Concat(units[:before], slices.Repeat([][]byte{s.unit}, silent), units[before:])))
			if channels != s.channels {
				t.Fatalf("%d channels, want %d", channels, s.channels)
			}
			unit := 1024 * channels
			if at := (before + 1) * unit; slices.ContainsFunc(samples[at:at+(silent-1)*unit], loud) { // windows overlap by one unit
				t.Error("something is heard in the silence")
			}
			if at := (before - 2) * unit; !slices.ContainsFunc(samples[at:at+unit], loud) {
				t.Error("nothing is heard before it")
			}
			if at := (before + silent + 2) * unit; !slices.ContainsFunc(samples[at:at+unit], loud) {
				t.Error("nothing is heard behind it")
			}
		})
	}
}
