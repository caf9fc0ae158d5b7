package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

// TestWhoMayPublish has other people's encoders show what they have: each gets
// in with the right thing, and is told no, in its own words, with a wrong one.
func TestWhoMayPublish(t *testing.T) {
	t.Parallel()
	needs(t, "ffmpeg", "gst-launch-1.0")
	const key = "R4VZ3N6PDFCJQ2XQ5T7YHKWA2E"
	hash := sha256.Sum256([]byte(key))
	clip := clip360(t)
	users := startServer(t, "-publish-users", "anna=geheim")
	keys := startServer(t, "-publish-keys", "cam1="+hex.EncodeToString(hash[:]))

	ffmpeg := func(url string) []string {
		return []string{"ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-re", "-i", clip, "-t", "2", "-c", "copy", "-f", "flv", url}
	}
	rtmp2sink := func(url string, more ...string) []string {
		args := strings.Fields("gst-launch-1.0 -q videotestsrc is-live=true num-buffers=60 ! video/x-raw,width=320,height=180,framerate=30/1 ! " +
			"x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 bitrate=500 ! h264parse ! flvmux streamable=true ! rtmp2sink")
		return append(append(args, "location="+url), more...)
	}
	login := func(user string) string { return "rtmp://" + user + "@" + users.rtmp + "/live/ffmpeg" }
	t.Run("all", func(t *testing.T) {
		for _, c := range []struct {
			name    string
			s       *server
			stream  string // empty: is refused
			told    string // by the encoder
			command []string
		}{
			{"ffmpeg_user", users, "live/ffmpeg", "", ffmpeg(login("anna:geheim"))},
			{"ffmpeg_wrong_password", users, "", "Incorrect username/password", ffmpeg(login("anna:x"))},
			{"ffmpeg_wrong_user", users, "", "Incorrect username/password", ffmpeg(login("eve:geheim"))},
			{"ffmpeg_no_user", users, "", "No credentials set", ffmpeg(users.rtmpURL("live/ffmpeg"))},
			{"GStreamer_user", users, "live/gst", "", rtmp2sink(users.rtmpURL("live/gst"), "username=anna", "password=geheim")},
			{"GStreamer_wrong_password", users, "", "", rtmp2sink(users.rtmpURL("live/gst"), "username=anna", "password=x")},
			{"ffmpeg_key", keys, "live/cam1", "", ffmpeg(keys.rtmpURL("live/" + key))},
			{"ffmpeg_wrong_key", keys, "", "the stream key is not one of publish.keys", ffmpeg(keys.rtmpURL("live/cam1"))},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				encoder := start(t, c.command[0], c.command[1:]...)
				if c.stream != "" {
					awaitPlayable(t, c.s, c.stream)
					encoder.wait(t, 20*time.Second)
					return
				}
				select {
				case <-encoder.exited:
				case <-time.After(20 * time.Second):
					t.Fatal("it goes on")
				}
				if encoder.err == nil || !strings.Contains(encoder.output.String(), c.told) {
					t.Errorf("%v: it says %s", encoder.err, encoder.output.tail())
				}
			})
		}
	})
	if log := users.output.String() + keys.output.String(); strings.Contains(log, key) || strings.Contains(log, "geheim") {
		t.Error("a secret is in the log")
	}
}
