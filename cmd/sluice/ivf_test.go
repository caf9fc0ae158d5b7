package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// TestIVFReaders: what encoders of AV1 and VP9 made comes out as it went in, packet for
// packet and picture for picture, and FFmpeg finds the same in our header as in theirs.
func TestIVFReaders(t *testing.T) {
	files, err := filepath.Glob("../../remux/testdata/*.ivf")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".ivf")
		if name == "vp8" || name == "vp9-440" { // no browser plays them, which is said
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := filepath.Join(t.TempDir(), "got.mp4")
			written(t, got, played(t, ivfTags(t, file)).Renditions[0])

			copied := []string{"-c:v", "copy"}
			if strings.HasPrefix(name, "av1") { // MP4 has no temporal delimiters
				copied = append(copied, "-bsf:v", "av1_metadata=td=remove")
			}
			if went, came := framehashes(t, file, copied...), framehashes(t, got, copied...); !slices.Equal(went, came) {
				t.Errorf("%d packets went in, %d came out, or others", len(went), len(came))
			}
			if went, came := framehashes(t, file), framehashes(t, got); !slices.Equal(went, came) {
				t.Errorf("%d pictures went in, %d came out, or others", len(went), len(came))
			}
			const show = "stream=codec_name,profile,width,height,pix_fmt,sample_aspect_ratio,color_range,color_space,color_transfer,color_primaries"
			theirs := strings.Replace(ffprobe(t, file, show), "aspect_ratio=1:1", "aspect_ratio=N/A", 1) // MP4 needs no box for that
			if ours := ffprobe(t, got, show); theirs != ours {
				t.Errorf("the encoder's file is\n%s\nand ours\n%s", theirs, ours)
			}
			boxes := ffprobe(t, got, "stream_side_data")
			for _, fact := range []string{"max_content=1000", "max_average=400", "green_x=13250/50000", "red_y=16000/50000", "white_point_y=16450/50000", "max_luminance=10000000/10000", "min_luminance=50/10000"} {
				if strings.Contains(boxes, fact) != (name == "av1-svt-pq") {
					t.Errorf("%s is not in the header, or is where it should not be:\n%s", fact, boxes)
				}
			}
		})
	}
}

// ivfTags are the tags by which an encoder sends a file, 40 ms apart.
func ivfTags(t *testing.T, path string) (tags []flv.Tag) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fourCC := map[string]string{"AV01": "av01", "VP90": "vp09", "VP80": "vp08"}[string(b[8:12])]
	const header, frameHeader, key, inter = 32, 12, 0x91, 0xA1
	for b = b[header:]; len(b) > 0; {
		end := frameHeader + int(binary.LittleEndian.Uint32(b))
		first := byte(inter)
		if len(tags) == 0 {
			first = key
		}
		body := append(append([]byte{first}, fourCC...), b[frameHeader:end]...)
		tags = append(tags, flv.Tag{Type: flv.TagVideo, Timestamp: uint32(40 * len(tags)), Body: body})
		b = b[end:]
	}
	return tags
}
