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
		{"HEVC-PQ+AAC", "-vf setparams=color_primaries=bt2020:colorspace=bt2020nc:color_trc=smpte2084 " + x265 + "yuv420p10le -c:a aac", "hvc1,mp4a"},
		{"HEVC-HLG+AAC", "-vf setparams=color_primaries=bt2020:colorspace=bt2020nc:color_trc=arib-std-b67 " + x265 + "yuv420p10le -c:a aac", "hvc1,mp4a"},
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
			eventually(t, 10*time.Second, "the lists say that it has ended", w.ended)
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
			checkRange(t, c.name, attributes)
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

// TestRecentOBS lets OBS Studio 31 or later publish AV1, which it does by Enhanced
// RTMP. It takes a whole processor.
func TestRecentOBS(t *testing.T) {
	root := recent(t)
	if _, err := os.Stat(filepath.Join(root, "usr", "bin", "obs")); err != nil {
		t.Skip("no OBS Studio beside the recent ffmpeg (E2E_OBS=1 make test-encoders installs it in a new folder)")
	}
	const stream, home = "live/obs", "/tmp/obs-e2e"
	s := startServer(t, "-window-grace", "1s")
	inside := filepath.Join(root, home)
	os.RemoveAll(inside)
	t.Cleanup(func() { os.RemoveAll(inside) })
	clip, err := os.ReadFile(clip360(t))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, inside+"/clip.flv", string(clip))
	for name, text := range obsFiles(obsService{url: "rtmp://" + s.rtmp + "/live", key: "obs"}, home+"/clip.flv") {
		if strings.HasSuffix(name, "basic.ini") {
			text = strings.Replace(text, "Mode=Simple", "Mode=Advanced", 1) +
				"[AdvOut]\nEncoder=ffmpeg_svt_av1\nAudioEncoder=ffmpeg_aac\nTrackIndex=1\nApplyServiceSettings=false\n"
		}
		writeFile(t, inside+"/.config/obs-studio/"+name, text)
	}
	writeFile(t, inside+"/.config/obs-studio/basic/profiles/E2E/streamEncoder.json", `{"rate_control":"CBR","bitrate":800,"keyint_sec":2,"preset":11}`)
	writeFile(t, filepath.Join(root, "etc", "machine-id"), "0123456789abcdef0123456789abcdef\n")
	// What is mounted, and what runs, is gone with unshare.
	obs := start(t, "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
		`mount --bind /dev "$1/dev" && mount -t proc proc "$1/proc" && chroot "$1" env -i PATH=/usr/bin:/bin HOME="$2" XDG_CONFIG_HOME="$2/.config" XDG_RUNTIME_DIR="$2" `+
			`LANG=C.UTF-8 LIBGL_ALWAYS_SOFTWARE=1 QT_QPA_PLATFORM=xcb DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent xvfb-run -a -s "-screen 0 1280x800x24 +extension GLX" `+
			`obs --multi --disable-updater --disable-missing-files-check --disable-shutdown-check --profile E2E --collection E2E --scene S --startstreaming --verbose; exit $?`, "sh", root, home) // the shell stays: X wakes no parent that is process 1
	eventually(t, 90*time.Second, "OBS publishes", func() error {
		if !obs.running() {
			t.Fatalf("OBS exited: %v\n%s", obs.err, obs.output.tail())
		}
		return s.notEnded(t.Context(), stream)
	})
	awaitPlayable(t, s, stream)
	w := s.watch(t, stream)
	eventually(t, 40*time.Second, "three segments", func() error { return w.has(3) })
	multi := string(s.get(t, s.url(stream+"/index.m3u8")))
	killChild(obs.cmd.Process)
	eventually(t, 30*time.Second, "the end", w.ended)
	w.stop(t)
	keepLists(t, s, w)
	if !strings.Contains(multi, "av01.") || !strings.Contains(multi, "mp4a.40.2") {
		t.Errorf("OBS's AV1 and AAC are not listed:\n%s", multi)
	}
	// It is cut in the middle of a segment whose sound was foreseen: a unit of it is missing.
	const unit = 1024 * time.Second / 44100
	hls := readHLSWithin(t, w, unit)
	sameURLs(t, hls, readDASHWithin(t, w, unit))
	for _, file := range []string{"index.m3u8", "index.mpd"} {
		out, err := tool(t, 60*time.Second, "ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", s.url(stream+"/"+file), "-f", "framemd5", "-")
		if frames := strings.Count(string(out), "\n0, "); err != nil || frames < len(hls.tracks["v1"].units)-2 {
			t.Errorf("ffmpeg decodes %d of %d pictures of %s: %v", frames, len(hls.tracks["v1"].units), file, err)
		}
	}
	t.Logf("OBS: %d pictures, %d of sound; %s", len(hls.tracks["v1"].units), len(hls.tracks["a1"].units), strings.TrimSpace(multi))
}
