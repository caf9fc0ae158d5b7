package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// TestCDN puts the caches of e2e/cdn in front of the server and lets low
// latency viewers pull through them: the origin must answer each thing about
// once.
func TestCDN(t *testing.T) {
	const (
		stream  = "live/cdn"
		viewers = 300
		during  = 10 * time.Second
	)
	clip := clip360(t)
	for name, before := range map[string]func(testing.TB, string) string{"varnish": startVarnish, "nginx": startNginx} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			s.pushClip(t, clip, stream, 0)
			awaitPlayable(t, s, stream)
			origin := countRequests(t, s)
			cache := "http://" + before(t, origin.addr)

			ctx, cancel := context.WithTimeout(t.Context(), during)
			defer cancel()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * viewers}}
			defer client.CloseIdleConnections()
			var all sync.WaitGroup
			var parts atomic.Int64
			for range viewers {
				all.Go(func() {
					v := &partViewer{client: client, base: cache + "/" + stream + "/"}
					if err := v.watch(ctx, "v1.m3u8"); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					parts.Add(int64(v.parts))
				})
			}
			all.Wait()
			asked, distinct := origin.count()
			t.Logf("%d viewers got %d parts; the origin was asked %d times for %d things", viewers, parts.Load(), asked, distinct)
			if perViewer := float64(parts.Load()) / viewers; perViewer < 0.7*during.Seconds()/0.5 {
				t.Errorf("a viewer got %.1f parts in %v", perViewer, during)
			}
			if asked > 2*distinct {
				t.Errorf("the origin was asked %d times for %d things", asked, distinct)
			}
		})
	}
}

// TestCDNJoins has many players wait for one part at once: the origin is asked
// once, though browsers are told to keep nothing.
func TestCDNJoins(t *testing.T) {
	t.Parallel()
	const stream, viewers = "live/joins", 50
	s := startServer(t)
	s.pushClip(t, clip360(t), stream, 0)
	awaitPlayable(t, s, stream)
	for name, before := range map[string]func(testing.TB, string) string{"varnish": startVarnish, "nginx": startNginx} {
		t.Run(name, func(t *testing.T) {
			origin := countRequests(t, s)
			cache := "http://" + before(t, origin.addr) + "/" + stream + "/v1.m3u8"
			for range 5 {
				p, err := lists.Strict(cache, s.get(t, s.url(stream+"/v1.m3u8")))
				if err != nil {
					t.Fatal(err)
				}
				path := fmt.Sprintf("/%s/v1.m3u8?_HLS_msn=%d&_HLS_part=%d", stream, p.Next()+1, 0)
				var all sync.WaitGroup
				for range viewers {
					all.Go(func() {
						r, err := s.fetch(t.Context(), http.MethodGet, strings.Replace(cache, "/"+stream+"/v1.m3u8", path, 1), nil)
						if err == nil {
							err = r.is(http.StatusOK)
						}
						if err != nil {
							t.Error(err)
						} else if v := r.header.Get("Cache-Control"); !strings.Contains(v, "max-age=0") {
							t.Errorf("browsers are told %q", v)
						}
					})
				}
				all.Wait()
				if n := origin.times(path); n != 1 {
					t.Errorf("%d viewers waited for %s, and the origin was asked %d times", viewers, path, n)
				}
			}
		})
	}
}

// partViewer reads parts like a low latency player.
type partViewer struct {
	client *http.Client
	base   string
	parts  int
}

func (v *partViewer) get(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := v.client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return string(body), err
}

// watch follows a media playlist part by part until ctx ends.
func (v *partViewer) watch(ctx context.Context, playlist string) error {
	text, err := v.get(ctx, playlist)
	if err != nil {
		return err
	}
	for {
		p, err := lists.Strict(v.base+playlist, []byte(text))
		if err != nil {
			return err
		}
		msn, part := p.Next(), len(p.Open.Parts)
		if text, err = v.get(ctx, fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", playlist, msn, part)); err != nil {
			return err
		}
		newest := text[strings.LastIndex(text, "#EXT-X-PART:"):]
		_, uri, _ := strings.Cut(newest, `URI="`)
		uri, _, _ = strings.Cut(uri, `"`)
		if _, err := v.get(ctx, uri); err != nil {
			return err
		}
		v.parts++
	}
}

// origin is what a cache asks for.
type origin struct {
	addr string
	mu   sync.Mutex
	urls map[string]int
}

// countRequests stands between a cache and the server.
func countRequests(t testing.TB, s *server) *origin {
	t.Helper()
	o := &origin{urls: make(map[string]int)}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.http})
	proxy.FlushInterval = -1
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.urls[r.URL.String()]++
		o.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	o.addr = strings.TrimPrefix(front.URL, "http://")
	return o
}

func (o *origin) times(url string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.urls[url]
}

func (o *origin) count() (asked, distinct int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range o.urls {
		asked += n
	}
	return asked, len(o.urls)
}

// configFor writes an example with the test's addresses in the place of its
// own, and returns its path.
func configFor(t testing.TB, file string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("cdn", file))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Fatalf("%s has no %q", file, replace[i])
		}
	}
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, []byte(strings.NewReplacer(replace...).Replace(string(text))), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func startVarnish(t testing.TB, originAddr string) string {
	t.Helper()
	return runVarnish(t, "varnish.vcl", originAddr)
}

func runVarnish(t testing.TB, vcl, originAddr string) string {
	t.Helper()
	needs(t, "varnishd")
	addr := freeAddr(t)
	host, port, _ := strings.Cut(originAddr, ":")
	config := configFor(t, vcl, `"127.0.0.1"`, `"`+host+`"`, `"8080"`, `"`+port+`"`)
	start(t, "varnishd", "-F", "-j", "none", "-n", filepath.Join(t.TempDir(), "v"), "-a", addr, "-T", "none", "-f", config, "-s", "malloc,128m")
	awaitListening(t, addr)
	return addr
}

func startNginx(t testing.TB, originAddr string) string {
	t.Helper()
	needs(t, "nginx")
	addr := freeAddr(t)
	dir := t.TempDir()
	config := configFor(t, "nginx.conf", "127.0.0.1:8080", originAddr, "listen 8000", "listen "+addr,
		"/run/nginx-sluice.pid", filepath.Join(dir, "pid"), "/var/cache/nginx-sluice", filepath.Join(dir, "cache"))
	start(t, "nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-g", "daemon off; user root;", "-c", config)
	awaitListening(t, addr)
	return addr
}

func awaitListening(t testing.TB, addr string) {
	t.Helper()
	eventually(t, 20*time.Second, "the cache listens", func() error {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	})
}
