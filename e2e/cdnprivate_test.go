package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	tokenKey  = "000102030405060708090a0b0c0d0e0f"
	cdnSecret = "a secret of the cache's"
)

// signedURL returns the address of a list with a token, made as docs/access.md
// says.
func signedURL(base, viewer, stream, file string) string {
	key, _ := hex.DecodeString(tokenKey)
	text := fmt.Sprintf("exp=%d~acl=/%s/*~data=%s", time.Now().Add(time.Hour).Unix(), stream, viewer)
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return fmt.Sprintf("%s/%s/%s?token=%s~hmac=%x", base, stream, file, text, h.Sum(nil))
}

// enter shows a token, and returns the address with the pass.
func (s *server) enter(t testing.TB, entrance string) string {
	t.Helper()
	client := &http.Client{
		Timeout:       fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	r, err := client.Get(entrance)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	to, err := r.Location()
	if err != nil || r.StatusCode != http.StatusFound {
		t.Fatalf("%s: %s, %v", entrance, r.Status, err)
	}
	return to.String()
}

// TestPrivateCDN has viewers with a pass each, who pull through a cache that
// asks about passes: the origin must answer each thing about once.
func TestPrivateCDN(t *testing.T) {
	needs(t, "nginx")
	const (
		stream  = "live/private"
		viewers = 40
		during  = 8 * time.Second
	)
	s := startServer(t, "-watch-token-keys", tokenKey, "-watch-cdn-secret", cdnSecret)
	s.pushClip(t, clip360(t), stream, 0)
	list := signedURL("http://"+s.http, "anna", stream, "index.m3u8")
	eventually(t, 20*time.Second, "the stream can be played", func() error {
		_, err := s.body(t.Context(), s.enter(t, list))
		return err
	})
	origin := countRequests(t, s)
	dir, addr := t.TempDir(), freeAddr(t)
	config := configFor(t, "nginx-private.conf", "127.0.0.1:8080", origin.addr, "listen 8000", "listen "+addr, "CDN-SECRET", cdnSecret,
		"/run/nginx-sluice.pid", filepath.Join(dir, "pid"), "/var/cache/nginx-sluice", filepath.Join(dir, "cache"))
	start(t, "nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-g", "daemon off; user root;", "-c", config)
	awaitListening(t, addr)

	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * viewers}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	parts := make([]int, viewers)
	for i := range viewers {
		at := s.enter(t, signedURL("http://"+addr, fmt.Sprintf("viewer-%d", i), stream, "index.m3u8"))
		all.Go(func() {
			v := &partViewer{client: client, base: strings.TrimSuffix(at, "index.m3u8")}
			if err := v.watch(ctx, "v1.m3u8"); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			parts[i] = v.parts
		})
	}
	all.Wait()
	for i, n := range parts {
		if float64(n) < 0.7*during.Seconds()/0.5 {
			t.Errorf("viewer %d got %d parts in %v", i, n, during)
		}
	}
	origin.mu.Lock()
	media, things, checks := 0, 0, 0
	for u, n := range origin.urls {
		switch {
		case strings.HasSuffix(u, "/pass"):
			checks += n
		case strings.Contains(u, "token="):
		case strings.HasPrefix(u, "/t/"):
			t.Errorf("the cache fetches for one viewer alone: %s", u)
		default:
			media += n
			things++
		}
	}
	origin.mu.Unlock()
	t.Logf("%d viewers: the origin was asked %d times for %d things, and %d times about passes", viewers, media, things, checks)
	if media > 2*things || things < 10 {
		t.Errorf("the origin was asked %d times for %d things", media, things)
	}
	if checks > 3*viewers {
		t.Errorf("the origin was asked %d times about %d passes", checks, viewers)
	}

	// What the cache has is for those with a pass alone.
	pass, _ := url.Parse(s.enter(t, list))
	for _, path := range []string{
		"/" + stream + "/v1.m3u8",
		"/t/forged/" + stream + "/v1.m3u8",
		strings.Replace(pass.Path, "/private/", "/other/", 1),
	} {
		r := s.do(t, "GET", "http://"+addr+path, "X-Sluice-CDN", "guess")
		if r.status != 401 && r.status != 403 || r.header.Get("Access-Control-Allow-Origin") != "*" || len(r.header["Access-Control-Allow-Origin"]) != 1 || !strings.Contains(string(r.body), "pass") {
			t.Errorf("%s: %d %v %s", path, r.status, r.header, r.body)
		}
	}
}
