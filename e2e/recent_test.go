package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
	"github.com/sluice-live/sluice/ingest/flv"
)

// recent is the root of a Debian with a recent ffmpeg, which make test-encoders
// installs. Without one the test is skipped.
func recent(t testing.TB) string {
	t.Helper()
	root := os.Getenv("E2E_ENCODERS")
	if root == "" {
		t.Skip("E2E_ENCODERS is not set: this wants a recent ffmpeg in a folder of its own (make test-encoders)")
	}
	if _, err := os.Stat(filepath.Join(root, "usr", "bin", "ffmpeg")); err != nil {
		t.Fatalf("E2E_ENCODERS has no ffmpeg: %v (make test-encoders)", err)
	}
	return root
}

// TestRecentEncoder lets a recent ffmpeg publish each codec, and keep what it
// publishes. Every access unit comes out once, in order, byte for byte, in HLS and in
// DASH; two versions of ffmpeg read the same; what is decoded is the same picture.
func TestRecentEncoder(t *testing.T) {
	root := recent(t)
	version, err := tool(t, 20*time.Second, "chroot", root, "ffmpeg", "-version")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(version), "\n")
	t.Log(line)
	s := startServer(t)
	x264 := "-c:v libx264 -preset veryfast -g 60 -pix_fmt yuv420p -b:v 300k"
	x265 := "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=60:min-keyint=60:scenecut=0 -b:v 300k -pix_fmt "
	for _, c := range []struct{ name, encode, codecs string }{
		{"HEVC+AAC", x265 + "yuv420p -c:a aac", "hvc1,mp4a"},
		{"HEVC-PQ+AAC", x265 + "yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -c:a aac", "hvc1,mp4a"},
		{"HEVC-HLG+AAC", x265 + "yuv420p10le -color_primaries bt2020 -color_trc arib-std-b67 -colorspace bt2020nc -c:a aac", "hvc1,mp4a"},
		{"AV1+Opus", "-c:v libsvtav1 -preset 12 -g 60 -pix_fmt yuv420p -b:v 300k -c:a libopus", "av01,opus"},
		{"VP9+Opus", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 60 -pix_fmt yuv420p -b:v 300k -c:a libopus", "vp09,opus"},
		{"H.264+FLAC", x264 + " -c:a flac -sample_fmt s16", "avc1,flac"},
		{"H.264+AC-3", x264 + " -c:a ac3", "avc1,ac-3"},
		{"H.264+E-AC-3", x264 + " -c:a eac3", "avc1,ec-3"},
		{"H.264+MP3", x264 + " -c:a libmp3lame", "avc1,mp4a"},
		{"H.264+Opus5.1", x264 + " -af pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0 -c:a libopus -mapping_family 1", "avc1,opus"},
		{"2xH.264+2xAAC", "-map 0:v -map 0:v -map 1:a -map 1:a " + x264 + " -s:v:1 160x90 -c:a aac", "avc1,mp4a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream := "recent/" + strings.ToLower(strings.NewReplacer("+", "-", ".", "").Replace(c.name))
			kept := "/tmp/" + strings.ReplaceAll(stream, "/", "-") + ".flv" // in the root
			file := filepath.Join(root, kept)
			os.Remove(file)
			t.Cleanup(func() { os.Remove(file) })
			args := []string{root, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-re",
				"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"}
			args = append(args, strings.Fields(c.encode)...)
			if !strings.Contains(c.encode, "-map 0") {
				args = append(args, "-map", "0:v", "-map", "1:a")
			}
			args = append(args, "-t", "8", "-f", "tee", "[f=flv]"+s.rtmpURL(stream)+"|[f=flv]"+kept)
			encoder := start(t, "chroot", args...)
			awaitPlayable(t, s, stream)
			w := s.watch(t, stream)
			encoder.wait(t, 60*time.Second)
			eventually(t, 3*time.Second, "the lists say that it has ended", w.ended)
			w.stop(t)
			keepLists(t, s, w)
			multi, err := lists.StrictMultivariant(s.url(stream+"/"), s.get(t, s.url(stream+"/index.m3u8")))
			if err != nil {
				t.Fatal(err)
			}
			attributes := multi.Variants[0].Attributes
			if got := strings.ToLower(formats(attributes["CODECS"])); got != c.codecs {
				t.Errorf("CODECS has %s, not %s", got, c.codecs)
			}
			sent := clipTags(t, file)
			compareAll(t, s, w, stream, sent)
			decodesAlike(t, root, kept, s.url(stream+"/v1.m3u8"), s.url(stream+"/index.mpd"))
			if !t.Failed() {
				video, audio := len(units(sent, flv.Video, 0)), len(units(sent, flv.Audio, 0))
				t.Logf("| %s | %s | %s | %d of %d, %d of %d | the same | the same |", c.name, attributes["CODECS"], attributes["VIDEO-RANGE"], video, video, audio, audio)
			}
		})
	}
}

// decodesAlike compares the pictures that a recent ffmpeg decodes from what was kept
// with those that it decodes from each list.
func decodesAlike(t testing.TB, root, kept string, urls ...string) {
	t.Helper()
	decode := func(input string) (hashes []string) {
		out, err := tool(t, 60*time.Second, "chroot", root, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-i", input, "-map", "0:v:0", "-f", "framemd5", "-")
		if err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(string(out)) {
			if fields := strings.Split(strings.TrimSpace(line), ","); !strings.HasPrefix(line, "#") && len(fields) == 6 {
				hashes = append(hashes, strings.TrimSpace(fields[5]))
			}
		}
		return hashes
	}
	want := decode(kept)
	for _, url := range urls {
		if got := decode(url); len(want) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %d pictures are decoded, not the %d that were sent", url, len(got), len(want))
		}
	}
}
