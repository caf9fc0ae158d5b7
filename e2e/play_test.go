package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// TestPlay: what readers of RTMP save, in clear, by TLS, RTMPE and tunnels, is what was sent: each access
// unit from the first keyframe on, to the end.
func TestPlay(t *testing.T) {
	t.Parallel()
	const stream = "live/played"
	needs(t, "ffmpeg", "rtmpdump", "gst-launch-1.0")
	clip := clip360(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	secure := freeAddr(t)
	s := startServer(t, "-rtmp-tls-addr", secure, "-rtmp-tls-cert", cert, "-rtmp-tls-key", key, "-rtmp-rtmpe", "-rtmp-tunnel")

	tags := clipTags(t, clip)
	for i := range tags {
		if tags[i].Timestamp > 12_000 {
			tags = tags[:i]
			break
		}
	}
	p := publish(t, s.rtmpURL(stream), nil, tags)
	awaitPlayable(t, s, stream)
	clear, tls := s.rtmpURL(stream), "rtmps://"+secure+"/"+stream
	readers := make(map[string]*child)
	saved := func(name string) string { return filepath.Join(dir, name+".flv") }
	read := func(name, program string, args ...string) { readers[name] = start(t, program, args...) }
	for name, url := range map[string]string{"rtmpdump": clear, "rtmpdump_RTMPE": "rtmpe://" + s.rtmp + "/" + stream, "rtmpdump_RTMPTE": "rtmpte://" + s.http + "/" + stream} {
		read(name, "rtmpdump", "-v", "-r", url, "-o", saved(name))
	}
	for name, url := range map[string]string{"ffmpeg": clear, "ffmpeg_TLS": tls, "ffmpeg_RTMPT": "rtmpt://" + s.http + "/" + stream} {
		read(name, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-i", url, "-c", "copy", "-copyts", saved(name))
	}
	for name, source := range map[string][]string{
		"GStreamer":     {"rtmp2src", "location=" + clear},
		"GStreamer_TLS": {"rtmp2src", "location=" + tls, "tls-validation-flags=0"},
	} {
		read(name, "gst-launch-1.0", append(append([]string{"-q"}, source...), "!", "filesink", "location="+saved(name))...)
	}
	p.done.Wait()
	if p.err != nil {
		t.Fatal(p.err)
	}
	sent := sourceOf(t, tags)
	for name, r := range readers {
		select {
		case <-r.exited:
		case <-time.After(10 * time.Second):
			t.Errorf("%s doesn't end with the stream", name)
			continue
		}
		got := readClip(t, saved(name))
		if err := sameFrom(sent, got); err != nil {
			t.Errorf("%s: %v\n%s", name, err, r.output.tail())
		}
		t.Logf("%s: %d pictures, %d sounds", name, len(got.video), len(got.audio))
	}
}

// sourceOf is what tags send.
func sourceOf(t testing.TB, tags []flv.Tag) (s source) {
	for _, tag := range tags {
		switch p := packetOf(t, tag); {
		case p.Type != flv.PacketFrame:
		case p.Kind == flv.Video:
			s.video = append(s.video, accessUnit{int64(tag.Timestamp), int64(p.Composition), p.Keyframe, p.Data})
		default:
			s.audio = append(s.audio, accessUnit{int64(tag.Timestamp), 0, true, p.Data})
		}
	}
	return s
}

// sameFrom tells whether all that was sent has come, from the first picture that came on,
// which must be a keyframe.
func sameFrom(sent, got source) error {
	for kind, c := range map[string]struct {
		sent, got []accessUnit
		tolerance int64
	}{"video": {sent.video, got.video, 1}, "audio": {sent.audio, got.audio, 25}} {
		if len(c.got) == 0 {
			return fmt.Errorf("no %s", kind)
		}
		first := 0
		for first < len(c.sent) && !bytes.Equal(c.sent[first].data, c.got[0].data) {
			first++
		}
		if first == len(c.sent) || !c.got[0].sync {
			return fmt.Errorf("%s begins with what was never sent, or no keyframe", kind)
		}
		got := c.got
		if more := len(got) - (len(c.sent) - first); kind == "audio" && more > 0 && more < 10 {
			got = got[:len(got)-more] // silence, up to where the last picture ends
		}
		if err := compare(c.sent[first:], got, 1000, c.tolerance); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// TestPlayPrograms: more programs play by RTMP, each for some seconds, through an encoder
// that is lost and comes back.
func TestPlayPrograms(t *testing.T) {
	if os.Getenv("E2E_PLAY") == "" {
		t.Skip("takes a minute, and VLC: make test-play")
	}
	const stream = "live/programs"
	needs(t, "ffmpeg", "mpv", "cvlc")
	needsElements(t, "rtmpsrc", "rtmp2src", "avdec_h264")
	s := startServer(t)
	url := s.rtmpURL(stream)
	encoder := func() *child {
		return ffmpegPublish(t, "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-f", "lavfi", "-i", "sine=sample_rate=48000",
			"-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "flv", url)
	}
	first := encoder()
	awaitPlayable(t, s, stream)
	decode := strings.Fields("! flvdemux name=d d.video ! queue ! h264parse ! avdec_h264 ! fakesink sync=false d.audio ! queue ! aacparse ! fakesink sync=false")
	readers := map[string]*child{
		"mpv":         start(t, "mpv", "--no-config", "--vo=null", "--ao=null", "--length=25", "--msg-level=all=warn", url),
		"rtmpsrc":     start(t, "gst-launch-1.0", append([]string{"-q", "rtmpsrc", "location=" + url + " live=1"}, decode...)...),
		"rtmp2src":    start(t, "gst-launch-1.0", append([]string{"-q", "rtmp2src", "location=" + url}, decode...)...),
		"ffmpeg":      start(t, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "info", "-xerror", "-i", url, "-t", "25", "-f", "null", "-"),
		"ffmpeg live": start(t, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "info", "-rtmp_live", "live", "-i", url+"?start=live", "-t", "25", "-f", "null", "-"),
	}
	vlc := []string{"--intf", "dummy", "--no-video-title-show", "--vout", "dummy", "--aout", "dummy", "--play-and-exit", "-v", url, "vlc://quit"}
	if os.Geteuid() == 0 { // VLC does nothing for root
		readers["VLC"] = start(t, "runuser", append([]string{"-u", "nobody", "--", "env", "HOME=" + t.TempDir(), "cvlc"}, vlc...)...)
	} else {
		readers["VLC"] = start(t, "cvlc", vlc...)
	}
	time.Sleep(8 * time.Second)
	if err := killChild(first.cmd.Process); err != nil {
		t.Fatal(err)
	}
	<-first.exited
	time.Sleep(4 * time.Second)
	second := encoder()
	time.Sleep(12 * time.Second)
	metrics := string(s.get(t, "http://"+s.admin+"/metrics"))
	if got := regexp.MustCompile(`(?m)^sluice_rtmp_readers (\d+)$`).FindStringSubmatch(metrics); got == nil || got[1] != fmt.Sprint(len(readers)) {
		t.Errorf("of %d readers: %v", len(readers), got)
	}
	time.Sleep(8 * time.Second)
	_ = second.cmd.Process.Signal(os.Interrupt)
	<-second.exited
	for name, r := range readers {
		select {
		case <-r.exited:
			out := r.output.tail()
			if r.err != nil || strings.Contains(out, "Conversion failed") {
				t.Errorf("%s: %v\n%s", name, r.err, out)
			}
		case <-time.After(15 * time.Second):
			t.Errorf("%s doesn't end with the stream", name)
		}
	}
}
