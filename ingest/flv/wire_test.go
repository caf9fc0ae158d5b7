package flv_test

import (
	"crypto/md5"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

var update = flag.Bool("update", false, "write the texts beside the recordings anew")

// recordings are those of real encoders, and what was made of them: see the
// README there.
func recordings(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("../testdata/wire/*.flv")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	return paths
}

// tagsOf calls each with the tags of a recording.
func tagsOf(t testing.TB, path string, each func(flv.Tag)) {
	t.Helper()
	file, err := os.Open(path)
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
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		each(tag)
	}
}

var packetTypes = map[flv.PacketType]string{
	flv.PacketConfig: "config", flv.PacketFrame: "frame", flv.PacketEnd: "end", flv.PacketMetadata: "metadata",
	flv.PacketColour: "colour", flv.PacketChannels: "channels",
}

// line tells a packet to a reader.
func line(p flv.Packet, err error) string {
	b := fmt.Appendf(nil, "%5d ", p.Timestamp)
	if p.Type != flv.PacketMetadata || err != nil {
		b = fmt.Appendf(b, "%v ", p.Kind)
	}
	if err != nil {
		return fmt.Sprintf("%s: %v", b[:len(b)-1], err)
	}
	if p.FourCC != 0 {
		b = fmt.Appendf(b, "%d %v ", p.TrackID, p.FourCC)
	}
	b = append(b, packetTypes[p.Type]...)
	if p.Keyframe {
		b = append(b, " key"...)
	}
	if p.Nanos != 0 {
		b = fmt.Appendf(b, " +%d ns", p.Nanos)
	}
	if p.Composition != 0 {
		b = fmt.Appendf(b, " composition %d", p.Composition)
	}
	if len(p.Data) == 0 {
		return string(append(b, " empty"...))
	}
	return string(fmt.Appendf(b, ", %d bytes %.4x", len(p.Data), md5.Sum(p.Data)))
}

// TestWire replays recordings, and compares the packets with the text beside each.
func TestWire(t *testing.T) {
	for _, path := range recordings(t) {
		var b strings.Builder
		tagsOf(t, path, func(tag flv.Tag) {
			n := 0
			for p, err := range flv.Packets(tag) {
				fmt.Fprintln(&b, line(p, err))
				n++
			}
			if n == 0 {
				fmt.Fprintf(&b, "%5d %v: nothing\n", tag.Timestamp, tag.Type)
			}
		})
		text := strings.TrimSuffix(path, ".flv") + ".txt"
		if *update {
			if err := os.WriteFile(text, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(text)
		if err != nil {
			t.Fatal(err)
		}
		got, lines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
		for i := range max(len(got), len(lines)) {
			if i >= len(got) || i >= len(lines) || got[i] != lines[i] {
				t.Errorf("%s, packet %d:\n got %q\nwant %q", path, i+1, slices.Concat(got, []string{""})[min(i, len(got))], slices.Concat(lines, []string{""})[min(i, len(lines))])
				break
			}
		}
	}
}

// Another framing changes no packet: what was rewritten gives what its source does.
func TestWireFraming(t *testing.T) {
	const until = 600 // ms, which the rewritten ones have whole
	kept := func(name string, only flv.FourCC, times bool) (lines []string) {
		tagsOf(t, "../testdata/wire/"+name+".flv", func(tag flv.Tag) {
			for p, err := range flv.Packets(tag) {
				if err != nil && !errors.Is(err, flv.ErrEmpty) {
					t.Errorf("%s: %v", name, err)
				}
				if p.Type != flv.PacketFrame && p.Type != flv.PacketConfig || only != 0 && p.FourCC != only || err != nil {
					continue
				}
				if !times {
					p.Timestamp, p.Nanos = 0, 0
				}
				if p.Timestamp < until {
					lines = append(lines, line(p, nil))
				}
			}
		})
		slices.Sort(lines) // tracks may take turns in another order
		return lines
	}
	for _, c := range []struct {
		made, source string
		only         flv.FourCC
	}{
		{"made-fourcc-avc1-mp4a", "h264-aac", 0},
		{"made-hevc-id12", "hevc-aac", 0},
		{"made-av1-id13", "av1-opus", 0},
		{"made-opus-id13", "av1-opus", 0},
		{"made-mp3-id14", "h264-mp3", 0},
		{"made-colour-info", "hevc-main10-pq", 0},
		{"made-many-tracks", "two-by-two", 0},
		{"made-many-codecs", "two-codecs", 0},
		{"made-named-tracks", "two-by-two", 0},
		{"made-vvc", "hevc-aac", flv.MP4A},
	} {
		got, want := kept(c.made, c.only, true), kept(c.source, c.only, true)
		if !slices.Equal(got, want) || len(got) < 20 {
			t.Errorf("%s gives %d packets, %s %d, which are not the same", c.made, len(got), c.source, len(want))
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Errorf("the first: %s, was %s", got[i], want[i])
					break
				}
			}
		}
	}
	if got, want := kept("made-modex", flv.HVC1, false), kept("hevc-aac", flv.HVC1, false); !slices.Equal(got, want) {
		t.Errorf("made-modex gives %d packets, hevc-aac %d, which are not the same", len(got), len(want))
	}
}

// TestWireNanos: 120 frames a second are 25/3 ms apart, to the nanosecond.
func TestWireNanos(t *testing.T) {
	n := 0
	tagsOf(t, "../testdata/wire/made-modex.flv", func(tag flv.Tag) {
		for p := range flv.Packets(tag) {
			if p.Kind != flv.Video || p.Type != flv.PacketFrame {
				continue
			}
			if at := int(p.Timestamp)*1_000_000 + int(p.Nanos); at != n*1_000_000_000/120 {
				t.Fatalf("frame %d is at %d ns", n, at)
			}
			n++
		}
	})
	if n != 72 {
		t.Errorf("%d frames", n)
	}
}
