package main

import (
	"encoding/binary"
	"os"
	"path/filepath"

	"github.com/sluice-live/sluice/ingest/flv"
)

// short is how much of a recording a rewritten one has, in milliseconds: what is
// looked at is the framing, and one GOP has all of it.
const short = 700

// makeAll rewrites recordings in dir into what no encoder here sends.
func makeAll(dir string) error {
	source := make(map[string][]flv.Tag)
	for _, name := range []string{"h264-aac", "h264-mp3", "h264-flac", "h264-opus51", "hevc-aac", "hevc-main10-pq", "av1-opus", "vp9-opus", "two-by-two", "two-codecs", "sorenson"} {
		tags, err := readFile(filepath.Join(dir, name+".flv"))
		if err != nil {
			return err
		}
		source[name] = tags
	}
	vp8, err := readIVF(filepath.Join(dir, "vp8.ivf"))
	if err != nil {
		return err
	}
	for name, tags := range map[string][]flv.Tag{
		"made-fourcc-avc1-mp4a":   rewrite(source["h264-aac"], byFourCC),
		"made-hevc-id12":          rewrite(source["hevc-aac"], legacyVideo(12)),
		"made-av1-id13":           rewrite(source["av1-opus"], legacyVideo(13)),
		"made-opus-id13":          rewrite(source["av1-opus"], legacyOpus),
		"made-mp3-id14":           rewrite(source["h264-mp3"], mp3At8kHz),
		"made-vp6":                vp6(source["sorenson"]),
		"made-vvc":                rewrite(source["hevc-aac"], renamed("hvc1", "vvc1")),
		"made-unknown-fourcc":     rewrite(source["hevc-aac"], renamed("hvc1", "zzzz")),
		"made-flac-whole-header":  rewrite(source["h264-flac"], wholeFLACHeader),
		"made-vp9-bare-record":    rewrite(source["vp9-opus"], bareVP9Record),
		"made-opus51-no-header":   rewrite(source["h264-opus51"], noOpusHeader),
		"made-av1-bare-record":    rewrite(source["av1-opus"], bareAV1Record),
		"made-hevc-in-band":       hevcInBand(source["hevc-aac"]),
		"made-colour-info":        colourInfo(source["hevc-main10-pq"]),
		"made-modex":              modEx(source["hevc-aac"]),
		"made-many-tracks":        together(source["two-by-two"], manyTracks),
		"made-many-codecs":        together(source["two-codecs"], manyCodecs),
		"made-tracks-come-and-go": comeAndGo(source["two-by-two"]),
		"made-named-tracks":       named(source["two-by-two"]),
		"made-vp8":                withVP8(source["vp9-opus"], vp8),
	} {
		if err := writeFile(filepath.Join(dir, name+".flv"), tags); err != nil {
			return err
		}
	}
	return nil
}

// readIVF reads the frames of an IVF file.
func readIVF(path string) (frames [][]byte, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for b = b[32:]; len(b) > 12; {
		n := 12 + int(binary.LittleEndian.Uint32(b))
		frames = append(frames, b[12:n])
		b = b[n:]
	}
	return frames, nil
}
