package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// heights are those of the qualities of the program, the best first; they are 16:9.
var heights = []int{360, 180, 90}

// qualities is one program that ffmpeg has encoded in each of these heights at once, and
// one sound, as an encoder sends it that knows E-RTMP's multitrack: what is made here
// needs no such encoder.
func qualities(t testing.TB) *looped {
	t.Helper()
	needs(t, "ffmpeg")
	files, err := encodeQualities()
	if err != nil {
		t.Fatal(err)
	}
	return loop(t, multitrack(t, files))
}

// encodeQualities makes a file for each quality. A keyframe comes every two seconds.
var encodeQualities = sync.OnceValues(func() (files []string, err error) {
	const seconds = "20"
	rates := []string{"1200k", "400k", "120k"}
	args := []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%dx%d%s", heights[0]*16/9, heights[0], rate),
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-filter_complex", fmt.Sprintf("[0:v]split=3[v0][b][c];[b]scale=%d:%d[v1];[c]scale=%d:%d[v2]", heights[1]*16/9, heights[1], heights[2]*16/9, heights[2])}
	for i, rate := range rates {
		file := filepath.Join(clipDir, fmt.Sprintf("quality%d.flv", i))
		files = append(files, file)
		args = append(args, "-map", fmt.Sprintf("[v%d]", i), "-map", "1:a",
			"-c:v", "libx264", "-preset", "superfast", "-bf", "2", "-pix_fmt", "yuv420p", "-b:v", rate, "-maxrate", rate, "-bufsize", rate,
			"-g", fmt.Sprint(2*frameRate), "-keyint_min", fmt.Sprint(2*frameRate), "-sc_threshold", "0",
			"-c:a", "aac", "-b:a", "96k", "-t", seconds, "-f", "flv", file)
	}
	return files, encode(args)
})

// multitrack has the picture of each file as a track of one stream, and the sound of the first.
func multitrack(t testing.TB, files []string) (tags []flv.Tag) {
	t.Helper()
	const multi, oneTrack = 6, 0 // packet type, and kind of multitrack
	for n, file := range files {
		for _, tag := range clipTags(t, file) {
			if n > 0 {
				if tag.Type != flv.TagVideo {
					continue
				}
				b := tag.Body // the old layout: frame type and codec, packet type, composition, data
				rest := b[5:]
				if b[1] == 1 {
					rest = b[2:]
				}
				tag.Body = slices.Concat([]byte{0x80 | b[0]&0x70 | multi, oneTrack<<4 | b[1]}, []byte("avc1"), []byte{byte(n)}, rest)
			}
			tags = append(tags, tag)
		}
	}
	slices.SortStableFunc(tags, func(a, b flv.Tag) int { return int(a.Timestamp) - int(b.Timestamp) })
	return tags
}
