package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Pictures that say which they are: stripes at their top, white or black, are the bits
// of their number, the lowest one first. They can be read in any size.

const (
	stampBits = 16
	stampRows = 15 // the stripes are one of so many rows
)

// stampedPicture is a source of such pictures.
const stampedPicture = "color=size=640x24" + ":rate=30,format=gray,geq=lum='255*mod(floor(N/pow(2,floor(X/40))),2)',format=yuv420p[stripes];" +
	"testsrc2=size=640x336:rate=30,format=yuv420p[below];[stripes][below]vstack"

const stampedFor = 30 * time.Second

// stampedClip has them once, in a picture of 640x360.
var stampedClip = encodeClip("stamped.flv", stampedPicture, stampedFor, "-g", "60", "-b:v", "600k")

// stampedSizes has them in three sizes, as one encoder makes them: three pictures and
// a sound in one file, with keyframes every two seconds.
func stampedSizes(t testing.TB) string {
	t.Helper()
	path, err := makeStampedSizes(stampedClip(t))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var makeStampedSizes = func() func(string) (string, error) {
	var once sync.Once
	var path string
	var err error
	return func(clip string) (string, error) {
		once.Do(func() {
			path = filepath.Join(clipDir, "sizes.ts")
			args := []string{"-i", clip,
				"-filter_complex", "[0:v]split=3[a][b][c];[a]scale=480:270[v1];[b]scale=320:180[v2];[c]scale=240:136[v3]",
				"-map", "[v1]", "-map", "[v2]", "-map", "[v3]", "-map", "0:a",
				"-vsync", "passthrough", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-b:v:0", "500k", "-b:v:1", "300k", "-b:v:2", "200k",
				"-c:a", "copy", path}
			err = encode(args)
		})
		return path, err
	}
}()

// stamps are the numbers of all pictures of a header and segments behind it, in the
// order in which they are shown.
func stamps(t testing.TB, header []byte, segments ...[]byte) (all []int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "stamps.mp4")
	if err := os.WriteFile(file, bytes.Join(append([][]byte{header}, segments...), nil), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := tool(t, 60*time.Second, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-i", file, "-map", "0:v:0", "-vsync", "passthrough",
		"-vf", fmt.Sprintf("crop=iw:trunc(ih/%d/4)*2:0:trunc(ih/%d/8)*2,scale=%d:1:flags=area,format=gray", stampRows, stampRows, stampBits), "-f", "rawvideo", "-")
	if err != nil {
		t.Fatal(err)
	}
	for ; len(out) >= stampBits; out = out[stampBits:] {
		n := 0
		for bit, v := range out[:stampBits] {
			if v >= 128 {
				n |= 1 << bit
			}
		}
		all = append(all, n)
	}
	return all
}

// The stripes are read as they were drawn, in the smallest picture, too.
func TestStamps(t *testing.T) {
	needs(t, "ffmpeg")
	file := filepath.Join(t.TempDir(), "stamps.mp4")
	if _, err := tool(t, 60*time.Second, "ffmpeg", "-nostdin", "-loglevel", "error", "-i", stampedClip(t), "-t", "10", "-an", "-vsync", "passthrough", "-vf", "scale=240:136", "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "150k", file); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := stamps(t, whole)
	if len(all) < 290 {
		t.Errorf("%d pictures", len(all))
	}
	for i, n := range all {
		if n != i {
			t.Fatalf("picture %d says %d", i, n)
		}
	}
}
