package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTunnelAndRTMPE publishes a clip by RTMPT, RTMPTS, RTMPE and RTMPTE, with
// FFmpeg's RTMP and with librtmp, also through proxies, and finds every access unit
// of it once, in order, byte for byte.
func TestTunnelAndRTMPE(t *testing.T) {
	if testing.Short() {
		t.Skip("publishes for six seconds")
	}
	t.Parallel()
	// What FFmpeg has gathered for a request when it ends, it throws away, its
	// goodbye included: as many messages as it gathers. librtmp hangs up without
	// waiting for answers: whoever can't answer a request reads no further ones.
	const (
		thrownAway = 10
		unanswered = 10
	)
	needs(t, "ffmpeg")
	needsElements(t, "rtmpsink")
	clip := clipShort(t)
	sent := readClip(t, clip)

	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	tls := freeAddr(t)
	s := startServer(t, "-rtmp-tunnel", "-rtmp-rtmpe", "-http-forwarded-from", "127.0.0.1/32",
		"-http-tls-addr", tls, "-http-tls-cert", cert, "-http-tls-key", key, "-rtmp-tls-addr", "", "-rtmp-tls-cert", cert, "-rtmp-tls-key", key)
	nginx, varnish := startTunnelNginx(t, s.http), runVarnish(t, "tunnel.vcl", s.http)
	passing := startTunnelNginx(t, s.http, "client_max_body_size", "proxy_buffering off; proxy_request_buffering off; client_max_body_size")

	read := "ffmpeg -nostdin -hide_banner -loglevel warning -re -i " + clip + " -c copy -f flv"
	ffmpeg := func(url string) string { return read + " -tls_verify 0 " + url }
	plain := func(url string) string { return read + " " + url }
	librtmp := func(url string) string {
		// librtmp wants each tag by itself. On a busy machine it has many requests under way, and
		// gets the time to have them answered before it hangs up.
		return "{ " + read + " -; sleep 3; } | gst-launch-1.0 -q fdsrc fd=0 ! flvdemux name=d d.video ! queue ! mux.video d.audio ! queue ! mux.audio " +
			"flvmux name=mux streamable=true ! rtmpsink location='" + url + " live=1'"
	}
	for _, c := range []struct {
		name, protocol string
		command        func(url string) string
		url            string // without the stream
		lost           int    // access units at the end
		hangsUp        bool   // before it was answered: its goodbye may be lost
	}{
		{"ffmpeg by RTMPT", "rtmpt", plain, "rtmpt://" + s.http, thrownAway, false},
		{"ffmpeg by RTMPTS", "rtmpts", ffmpeg, "rtmpts://" + tls, thrownAway, false},
		{"ffmpeg by RTMPT through nginx", "rtmpt", plain, "rtmpt://" + nginx, thrownAway, false},
		{"ffmpeg by RTMPT through Varnish", "rtmpt", plain, "rtmpt://" + varnish, thrownAway, false},
		{"ffmpeg by RTMPS at the plain port", "rtmps", ffmpeg, "rtmps://" + s.rtmp, 0, false},
		{"librtmp by RTMPE", "rtmpe", librtmp, "rtmpe://" + s.rtmp, 0, false},
		{"librtmp by RTMPT", "rtmpt", librtmp, "rtmpt://" + s.http, unanswered, true},
		{"librtmp by RTMPTE through nginx without buffers", "rtmpte", librtmp, "rtmpte://" + passing, unanswered, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stream := "live/" + strings.NewReplacer(" ", "-").Replace(c.name)
			encoder := start(t, "sh", "-c", c.command(c.url+"/"+stream))
			awaitPlayable(t, s, stream)
			w := s.watch(t, stream)
			encoder.wait(t, 40*time.Second)
			if c.hangsUp {
				time.Sleep(time.Second)                                                                                                                         // for what is on its way
				if r := s.do(t, http.MethodDelete, "http://"+s.admin+"/api/v1/streams/"+stream); r.status != http.StatusOK && r.status != http.StatusNotFound { // its goodbye has come
					t.Errorf("the end of the stream: %d, %s", r.status, r.body)
				}
			}
			eventually(t, 10*time.Second, "the end of the stream", w.ended)
			w.stop(t)
			if want := fmt.Sprintf(`"stream":%q,"software"`, stream); !loggedWith(s, want, fmt.Sprintf(`"protocol":%q`, c.protocol)) {
				t.Errorf("the log doesn't say that it came by %s", c.protocol)
			}
			hls := readHLSWithin(t, w, 4*time.Second/frameRate)
			for id, want := range map[string][]accessUnit{"v1": sent.video, "a1": sent.audio} {
				got := hls.tracks[id]
				if got == nil {
					t.Fatalf("there is no %s", id)
				}
				if n := len(got.units); n > len(want) || n < len(want)-c.lost {
					t.Errorf("%s: %d access units were sent, %d came", id, len(want), n)
				}
				tolerance := map[string]int64{"v1": 0, "a1": 1024}[id]
				if err := compare(want[:min(len(want), len(got.units))], got.units, got.timescale, tolerance); err != nil {
					t.Errorf("%s: %v", id, err)
				}
				t.Logf("%s: %d of %d access units", id, len(got.units), len(want))
			}
		})
	}
}

// loggedWith tells whether a line of the server's log has all of these.
func loggedWith(s *server, words ...string) bool {
	for line := range strings.Lines(s.output.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return true
		}
	}
	return false
}

// startTunnelNginx runs nginx with the tested configuration, and pairs of texts replaced in it.
func startTunnelNginx(t testing.TB, originAddr string, replace ...string) string {
	t.Helper()
	needs(t, "nginx")
	addr, dir := freeAddr(t), t.TempDir()
	config := configFor(t, "nginx-tunnel.conf", append(replace, "127.0.0.1:8080", originAddr, "listen 8000", "listen "+addr, "/run/nginx-sluice.pid", filepath.Join(dir, "pid"))...)
	start(t, "nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-g", "daemon off; user root;", "-c", config)
	awaitListening(t, addr)
	return addr
}
