package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// TestEncoders publishes with other people's RTMP stacks, encoding live. Each
// ends its stream by itself.
func TestEncoders(t *testing.T) {
	if testing.Short() {
		t.Skip("encodes for half a minute")
	}
	const seconds = 6
	needs(t, "ffmpeg")
	needsElements(t, "flvmux", "x264enc", "voaacenc", "rtmp2sink", "rtmpsink")
	s := startServer(t)

	// GStreamer's muxer waits a second for a buffer that comes late. Without that it dates the
	// buffer anew on a busy machine, by up to 15 ms, and the lists promise what it broke.
	gst := func(sink ...string) []string {
		args := append([]string{"gst-launch-1.0", "-q", "flvmux", "name=mux", "streamable=true", "latency=1000000000", "!"}, sink...)
		return append(args, strings.Fields(fmt.Sprintf(
			"videotestsrc is-live=true num-buffers=%d ! video/x-raw,width=320,height=180,framerate=30/1 ! "+
				"x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 bitrate=500 ! h264parse ! queue ! mux. "+
				"audiotestsrc is-live=true samplesperbuffer=1024 num-buffers=%d ! audio/x-raw,rate=48000,channels=2 ! voaacenc ! aacparse ! queue ! mux.",
			30*seconds, 48000*seconds/1024))...)
	}
	ffmpeg := func(stream string, encode ...string) []string {
		args := []string{"ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-re"}
		args = append(args, encode...)
		return append(args, "-t", fmt.Sprint(seconds), "-f", "flv", s.rtmpURL(stream))
	}
	const picture = "testsrc2=size=320x180:rate=30"
	const sound = "sine=frequency=440:sample_rate=48000"
	x264 := []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "60", "-pix_fmt", "yuv420p"}

	for _, c := range []struct {
		name, stream string
		command      []string
		codecs       string // without the profile
	}{
		{"GStreamer_rtmp2sink", "live/rtmp2", gst("rtmp2sink", "location="+s.rtmpURL("live/rtmp2")), "avc1,mp4a"},
		{"librtmp_rtmpsink", "live/librtmp", gst("rtmpsink", "location="+s.rtmpURL("live/librtmp")+" live=1"), "avc1,mp4a"},
		{"ffmpeg_zerolatency", "live/ffmpeg", ffmpeg("live/ffmpeg", append([]string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:a", "aac"}, x264...)...), "avc1,mp4a"},
		{"ffmpeg_video_only", "live/video", ffmpeg("live/video", append([]string{"-f", "lavfi", "-i", picture}, x264...)...), "avc1"},
		{"ffmpeg_audio_only", "live/audio", ffmpeg("live/audio", "-f", "lavfi", "-i", sound, "-c:a", "aac"), "mp4a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			encoder := start(t, c.command[0], c.command[1:]...)
			awaitPlayable(t, s, c.stream)
			w := s.watch(t, c.stream)
			multi, err := lists.StrictMultivariant(s.url(c.stream+"/"), s.get(t, s.url(c.stream+"/index.m3u8")))
			if err != nil {
				t.Fatal(err)
			}
			if got := formats(multi.Variants[0].Attributes["CODECS"]); got != c.codecs {
				t.Errorf("CODECS has %s, not %s", got, c.codecs)
			}
			encoder.wait(t, 30*time.Second)
			eventually(t, time.Second, "the end of the stream", func() error { return s.allEnded(t.Context(), c.stream) })
			eventually(t, 10*time.Second, "the watcher sees it too", w.ended)
			w.stop(t)
			for u, h := range w.playlists {
				if d := h.last.Seconds(); d < seconds-0.3 || d > seconds+0.3 {
					t.Errorf("%s: %d s were published, %v s are listed", u, seconds, d)
				}
			}
			hls := readHLS(t, w)
			sameURLs(t, hls, readDASH(t, w))
			for id, m := range hls.tracks {
				t.Logf("%s: %s, %d access units", id, m.codec, len(m.units))
			}
		})
	}
}

// formats takes the profiles out of a CODECS attribute.
func formats(codecs string) string {
	var names []string
	for c := range strings.SplitSeq(codecs, ",") {
		name, _, _ := strings.Cut(c, ".")
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

// TestOBS publishes with OBS Studio in a virtual display. It takes a whole
// processor, so it runs only when E2E_OBS is set.
func TestOBS(t *testing.T) {
	if os.Getenv("E2E_OBS") == "" {
		t.Skip("E2E_OBS is not set")
	}
	needs(t, "obs", "xvfb-run")
	clip := clip360(t)
	t.Run("without a login", func(t *testing.T) {
		s := startServer(t, "-window-grace", "1s")
		publishWithOBS(t, s, obsService{url: "rtmp://" + s.rtmp + "/live", key: "obs"}, clip)
	})
	t.Run("with a login", func(t *testing.T) {
		s := startServer(t, "-window-grace", "1s", "-publish-users", "anna=geheim & lang")
		publishWithOBS(t, s, obsService{"rtmp://" + s.rtmp + "/live", "obs", "anna", "geheim & lang"}, clip)
	})
}

// publishWithOBS lets OBS publish, and compares what HLS and DASH list.
func publishWithOBS(t *testing.T, s *server, to obsService, clip string) {
	const stream = "live/obs"
	home := t.TempDir()
	obs := startOBS(t, home, obsFiles(to, clip))
	eventually(t, 60*time.Second, "OBS publishes", func() error {
		if !obs.running() {
			t.Fatalf("OBS exited: %v\n%s", obs.err, obs.output.tail())
		}
		return s.notEnded(t.Context(), stream)
	})
	w := s.watch(t, stream)
	eventually(t, 30*time.Second, "three segments", func() error { return w.has(3) })
	killChild(obs.cmd.Process)
	eventually(t, 30*time.Second, "the end", w.ended)
	w.stop(t)
	keepLists(t, s, w)
	sameURLs(t, readHLS(t, w), readDASH(t, w))
}

// startOBS runs OBS Studio in a virtual display, with the settings that are in files.
func startOBS(t *testing.T, home string, files map[string]string) *child {
	for name, text := range files {
		writeFile(t, home+"/.config/obs-studio/"+name, text)
	}
	return start(t, "env", "HOME="+home, "XDG_CONFIG_HOME="+home+"/.config", "XDG_RUNTIME_DIR="+home,
		"LIBGL_ALWAYS_SOFTWARE=1", "QT_QPA_PLATFORM=xcb",
		"xvfb-run", "-a", "-s", "-screen 0 1280x800x24 +extension GLX",
		"obs", "--multi", "--disable-updater", "--disable-missing-files-check", "--profile", "E2E", "--collection", "E2E", "--scene", "S", "--startstreaming", "--verbose")
}

// TestOBSPlays has OBS Studio's media source play a stream by RTMP and by RTMPS, through an encoder
// that is lost and comes back, and looks at what OBS publishes of it.
func TestOBSPlays(t *testing.T) {
	if os.Getenv("E2E_OBS") == "" {
		t.Skip("E2E_OBS is not set")
	}
	needs(t, "obs", "xvfb-run", "ffmpeg")
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	secure := freeAddr(t)
	s := startServer(t, "-rtmp-tls-addr", secure, "-rtmp-tls-cert", cert, "-rtmp-tls-key", key)
	for _, input := range []string{s.rtmpURL("live/cam1"), "rtmps://" + secure + "/live/cam1"} {
		encoder := s.pushClipLoop(t, clip360(t), "live/cam1")
		awaitPlayable(t, s, "live/cam1")
		source := fmt.Sprintf(`{"is_local_file":false,"input":%q,"input_format":"","reconnect_delay_sec":5,"restart_on_activate":true}`, input)
		obs := startOBS(t, t.TempDir(), obsFilesOf(obsService{url: "rtmp://" + s.rtmp + "/live", key: "obs"}, source))
		eventually(t, 60*time.Second, "OBS plays", func() error {
			if !obs.running() {
				t.Fatalf("OBS exited: %v\n%s", obs.err, obs.output.tail())
			}
			if body := string(s.get(t, "http://"+s.admin+"/api/v1/readers")); !strings.Contains(body, `"stream":"live/cam1"`) {
				return errors.New(body)
			}
			return nil
		})
		awaitPlayable(t, s, "live/obs")
		shows := func(when string) {
			eventually(t, 30*time.Second, when+" OBS shows pictures", func() error {
				frame, err := tool(t, 20*time.Second, "ffmpeg", "-nostdin", "-v", "error", "-i", s.rtmpURL("live/obs"), "-frames:v", "1", "-vf", "scale=64:36", "-pix_fmt", "gray", "-f", "rawvideo", "-")
				if err != nil {
					return err
				}
				seen := make(map[byte]bool)
				for _, v := range frame {
					seen[v/8] = true
				}
				if t.Logf("%s: %s: %d shades", input, when, len(seen)); len(seen) < 10 { // testsrc2 has all; nothing is black
					return fmt.Errorf("a picture of %d shades", len(seen))
				}
				return nil
			})
		}
		shows("at first")
		killChild(encoder.cmd.Process)
		<-encoder.exited
		time.Sleep(3 * time.Second)
		encoder = s.pushClipLoop(t, clip360(t), "live/cam1")
		time.Sleep(3 * time.Second)
		shows("when the encoder is back")
		killChild(obs.cmd.Process)
		<-obs.exited
		killChild(encoder.cmd.Process)
		<-encoder.exited
		time.Sleep(time.Second)
	}
}
