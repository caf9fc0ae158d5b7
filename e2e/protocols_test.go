package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/sluice-live/sluice/e2e/lists"
)

// TestProtocols reads a segment while it grows over each version of HTTP: its
// bytes must come before it ends.
func TestProtocols(t *testing.T) {
	t.Parallel()
	const stream = "live/http"
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	secure := freeAddr(t)
	s := startServer(t, "-http-tls-addr", secure, "-http-tls-cert", cert, "-http-tls-key", key, "-http-http3")
	s.pushClip(t, clip360(t), stream, 30*time.Second)
	awaitPlayable(t, s, stream)

	insecure := &tls.Config{InsecureSkipVerify: true} // it is our own certificate
	h1 := &http.Transport{}
	h2 := &http.Transport{TLSClientConfig: insecure.Clone(), ForceAttemptHTTP2: true}
	h2c := &http.Transport{Protocols: new(http.Protocols)}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	h3 := &http3.Transport{TLSClientConfig: insecure.Clone()}
	t.Cleanup(func() { h1.CloseIdleConnections(); h2.CloseIdleConnections(); h2c.CloseIdleConnections(); h3.Close() })

	for _, p := range []struct {
		proto, base string
		transport   http.RoundTripper
	}{
		{"HTTP/1.1", "http://" + s.http, h1},
		{"HTTP/2.0", "http://" + s.http, h2c},
		{"HTTP/2.0", "https://" + secure, h2},
		{"HTTP/3.0", "https://" + secure, h3},
	} {
		t.Run(strings.ReplaceAll(p.proto+" "+p.base[:5], "/", " "), func(t *testing.T) {
			client := &http.Client{Transport: p.transport}
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			get := func(path string) *http.Response {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/"+stream+"/"+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != http.StatusOK || resp.Proto != p.proto {
					t.Fatalf("GET %s: %s by %s", path, resp.Status, resp.Proto)
				}
				return resp
			}
			list := get("v1.m3u8")
			_, err := io.ReadAll(list.Body)
			list.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if alt := list.Header.Get("Alt-Svc"); p.transport == h2 && !strings.Contains(alt, "h3=") {
				t.Errorf("Alt-Svc %q", alt)
			}
			// The next segment, from its first byte on. It starts where the last one
			// that a manifest lists ends.
			resp := get(nextSegment(t, p.base+"/"+stream+"/index.mpd", get("index.mpd")))
			defer resp.Body.Close()
			var first time.Time
			n := 0
			for buf := make([]byte, 32<<10); err == nil; {
				var got int
				got, err = resp.Body.Read(buf)
				if n += got; first.IsZero() && got > 0 {
					first = time.Now()
				}
			}
			if err != io.EOF {
				t.Fatal(err)
			}
			took := time.Since(first)
			t.Logf("%d bytes, the last %v behind the first", n, took.Round(time.Millisecond))
			if took < time.Second || took > 3*time.Second {
				t.Errorf("the last byte came %v behind the first", took)
			}
		})
	}
}

// nextSegment is the path of the picture's segment behind the last one that a
// manifest lists, which is in production.
func nextSegment(t *testing.T, url string, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	m, err := lists.ParseMPD(url, body)
	if err != nil {
		t.Fatal(err)
	}
	tracks, err := m.Tracks()
	if err != nil {
		t.Fatal(err)
	}
	for _, track := range tracks {
		if n := len(track.Segments); n > 0 && track.ContentType == "video" {
			last := track.Segments[n-1]
			_, name, _ := strings.Cut(last.URI, "/v1/")
			period, _, _ := strings.Cut(name, "-")
			return fmt.Sprintf("v1/%s-%d.m4s", period, last.Time+last.Duration)
		}
	}
	t.Fatalf("no picture in the manifest:\n%s", body)
	return ""
}
