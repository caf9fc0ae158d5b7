package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

const (
	gop         = 2 * time.Second // of all clips
	frameRate   = 30
	sampleRate  = 44100
	clip1080For = 60 * time.Second
	clip360For  = 90 * time.Second
)

var rate = fmt.Sprintf(":rate=%d", frameRate)

// Clips have B-frames, closed GOPs of two seconds, and no frame twice.
var (
	clip720  = makeClip("src720.flv", "1280x720", "2M", 20*time.Second)
	clip1080 = makeClip("src1080.flv", "1920x1080", "4M", clip1080For)
	clip360  = makeClip("src360.flv", "640x360", "800k", clip360For)
)

// clipShort has no B-frames: GStreamer's FLV elements lose their order.
var clipShort = encodeClip("short.flv", "testsrc2=size=640x360"+rate, 6*time.Second, "-b:v", "800k", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-bf", "0")

func makeClip(name, size, bitrate string, d time.Duration) func(testing.TB) string {
	every := fmt.Sprint(int(gop.Seconds() * frameRate))
	return encodeClip(name, "testsrc2=size="+size+rate, d, "-b:v", bitrate, "-g", every, "-keyint_min", every, "-sc_threshold", "0")
}

// clipCuts has a keyframe wherever the scene changes, as x264 does it when
// nobody tells it not to, and every four seconds.
var clipCuts = encodeClip("cuts.flv", "testsrc2=size=640x360"+rate+"[a];smptehdbars=size=640x360"+rate+"[b];[a][b]blend=all_expr='if(lt(mod(T,7),2.5)+lt(mod(T,5),1.1),A,B)'",
	clip360For, "-b:v", "800k", "-g", fmt.Sprint(4*frameRate))

func encodeClip(name, picture string, d time.Duration, video ...string) func(testing.TB) string {
	once := sync.OnceValues(func() (string, error) {
		path := filepath.Join(clipDir, name)
		args := []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:sample_rate=%d", sampleRate),
			"-c:v", "libx264", "-preset", "superfast", "-bf", "2", "-pix_fmt", "yuv420p"}
		args = append(args, video...)
		args = append(args, "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-t", fmt.Sprint(d.Seconds()), "-f", "flv", path)
		return path, encode(args)
	})
	return func(t testing.TB) string {
		t.Helper()
		needs(t, "ffmpeg")
		path, err := once()
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
}

// encode makes a file by ffmpeg, in the time that the tests beside it leave: an encoder that
// takes all cores would make their players stand still.
func encode(args []string) error {
	args = append([]string{"-n", "19", "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y"}, args...)
	if out, err := exec.Command("nice", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("making %s: %w\n%s", args[len(args)-1], err, out)
	}
	return nil
}

// accessUnit is one frame, as a source sends it or a segment has it. Times are
// in ticks of the timescale of whoever read it.
type accessUnit struct {
	dts, composition int64
	sync             bool
	data             []byte
}

// source is what a clip sends.
type source struct {
	video, audio []accessUnit // times in milliseconds
}

// readClip reads a clip's tags.
func readClip(t testing.TB, path string) source {
	t.Helper()
	return sourceOf(t, clipTags(t, path))
}

// packetOf is what a clip's tag carries.
func packetOf(t testing.TB, tag flv.Tag) (p flv.Packet) {
	t.Helper()
	var err error
	for p, err = range flv.Packets(tag) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// clipTags reads all tags of a clip.
func clipTags(t testing.TB, path string) []flv.Tag {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := flv.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	var tags []flv.Tag
	for {
		tag, err := r.ReadTag()
		if err == io.EOF {
			return tags
		}
		if err != nil {
			t.Fatal(err)
		}
		tag.Body = bytes.Clone(tag.Body) // borrowed until the next call
		tags = append(tags, tag)
	}
}
