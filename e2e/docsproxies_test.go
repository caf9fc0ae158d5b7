package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// denied is where nobody may watch from.
const denied = "203.0.113.9"

// The configurations in docs/proxies.md let all through that a player needs,
// low latency included, and say whose request it is.
func TestDocsProxies(t *testing.T) {
	t.Parallel()
	const stream = "live/proxied"
	s := startServer(t, "-http-forwarded-from", "127.0.0.1/32", "-watch-deny", denied+"/32")
	s.pushClipLoop(t, clip360(t), stream)
	awaitPlayable(t, s, stream)
	claims := http.Header{"X-Forwarded-For": {denied}}
	if r, err := s.fetch(t.Context(), http.MethodGet, s.url(stream+"/index.mpd"), claims); err != nil || r.status != http.StatusForbidden {
		t.Fatalf("who is denied gets %d, %v", r.status, err)
	}
	for name, front := range map[string]func(testing.TB, string) string{
		"caddy": startCaddy, "nginx": startNginxOfDocs,
		"nginx that caches": func(t testing.TB, origin string) string { return "http://" + startNginx(t, origin) },
		"varnish":           func(t testing.TB, origin string) string { return "http://" + startVarnish(t, origin) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &proxied{base: front(t, s.http) + "/" + stream + "/"}
			v.client = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{ForceAttemptHTTP2: true,
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // it is our own certificate
			defer v.client.CloseIdleConnections()
			eventually(t, 20*time.Second, "the proxy answers", func() error {
				_, err := v.get(t.Context(), "index.m3u8")
				return err
			})
			if err := v.claim(t.Context()); err != nil {
				t.Error(err)
			}
			if err := v.blockedReload(t.Context()); err != nil {
				t.Error(err)
			}
			if err := v.hintedPart(t.Context()); err != nil {
				t.Error(err)
			}
			if err := v.growingSegment(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// ofDocs writes the block of docs/proxies.md, with the test's own in the place of names and ports.
func ofDocs(t testing.TB, kind string, replace ...string) (text, path string) {
	t.Helper()
	all := fences(t, kind)
	if len(all) != 1 {
		t.Fatalf("docs have %d blocks of %s", len(all), kind)
	}
	text = all[0].text
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			t.Fatalf("docs' block of %s has no %q", kind, replace[i])
		}
	}
	text = strings.NewReplacer(replace...).Replace(text)
	path = filepath.Join(t.TempDir(), kind)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return text, path
}

// startCaddy is with a certificate of its own making.
func startCaddy(t testing.TB, origin string) string {
	t.Helper()
	needs(t, "caddy")
	addr := freeAddr(t)
	_, path := ofDocs(t, "caddy", "127.0.0.1:8080", origin, "live.example.com {",
		"{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}\nhttps://"+addr+" {\n\ttls internal")
	home := t.TempDir()
	if out, err := tool(t, 20*time.Second, "env", "HOME="+home, "caddy", "validate", "--adapter", "caddyfile", "--config", path); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	start(t, "env", "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home, "caddy", "run", "--adapter", "caddyfile", "--config", path)
	awaitListening(t, addr)
	return "https://" + addr
}

func startNginxOfDocs(t testing.TB, origin string) string {
	t.Helper()
	needs(t, "nginx")
	addr, dir := freeAddr(t), t.TempDir()
	cert, key := filepath.Join(dir, "live.pem"), filepath.Join(dir, "live.key")
	writeCertificate(t, cert, key, 1)
	server, _ := ofDocs(t, "nginx", "127.0.0.1:8080", origin, "listen 443", "listen "+addr, "/etc/ssl/live.pem", cert, "/etc/ssl/live.key", key)
	config := filepath.Join(dir, "nginx.conf")
	whole := fmt.Sprintf("pid %s/pid;\nevents {}\nhttp {\naccess_log off;\n%s}\n", dir, server)
	if err := os.WriteFile(config, []byte(whole), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-p", dir, "-e", filepath.Join(dir, "error.log"), "-g", "daemon off; user root;", "-c", config}
	if out, err := tool(t, 20*time.Second, "nginx", append([]string{"-t"}, args...)...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	start(t, "nginx", args...)
	awaitListening(t, addr)
	return "https://" + addr
}

// proxied is a player behind a proxy.
type proxied struct {
	client *http.Client
	base   string
}

// fetched is an answer, and when it came.
type fetched struct {
	body        []byte
	first, last time.Duration // since it was asked for
}

// claim asks as somebody else: whose request it is, is the proxy's word. It is
// the first who asks for that, so that no cache has it.
func (v *proxied) claim(ctx context.Context) error {
	_, err := v.get(ctx, "index.mpd", "X-Forwarded-For", denied, "Forwarded", "for="+denied)
	return err
}

func (v *proxied) get(ctx context.Context, path string, header ...string) (f fetched, err error) {
	if !strings.HasPrefix(path, "http") {
		path = v.base + path
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		return f, err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	begin := time.Now()
	resp, err := v.client.Do(r)
	if err != nil {
		return f, err
	}
	defer resp.Body.Close()
	one := make([]byte, 1)
	if _, err = io.ReadFull(resp.Body, one); err != nil {
		return f, fmt.Errorf("GET %s: %s: %w", path, resp.Status, err)
	}
	f.first = time.Since(begin)
	rest, err := io.ReadAll(resp.Body)
	f.body, f.last = append(one, rest...), time.Since(begin)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, resp.Status, f.body)
	}
	return f, err
}

func (v *proxied) playlist(ctx context.Context, query string) (*lists.Playlist, fetched, error) {
	f, err := v.get(ctx, "v1.m3u8"+query)
	if err != nil {
		return nil, f, err
	}
	p, err := lists.Strict(v.base+"v1.m3u8", f.body)
	return p, f, err
}

// blockedReload asks for a playlist that is not there yet.
func (v *proxied) blockedReload(ctx context.Context) error {
	p, _, err := v.playlist(ctx, "")
	if err != nil {
		return err
	}
	// Two parts on, as the very next one may be there by now.
	next, err := v.awaited(ctx, p.Next()+1)
	if err != nil {
		return err
	}
	if next.Next() <= p.Next()+1 {
		return fmt.Errorf("segment %d was asked for, and %d is the next one", p.Next()+1, next.Next())
	}
	return nil
}

func (v *proxied) awaited(ctx context.Context, msn int64) (*lists.Playlist, error) {
	p, f, err := v.playlist(ctx, fmt.Sprintf("?_HLS_msn=%d", msn))
	if err == nil && f.last < 200*time.Millisecond {
		err = fmt.Errorf("segment %d was not waited for: the answer came within %v", msn, f.last)
	}
	return p, err
}

// hintedPart asks for a part that is being made.
func (v *proxied) hintedPart(ctx context.Context) error {
	_, f, err := v.playlist(ctx, "")
	if err != nil {
		return err
	}
	hint := hintPattern.FindStringSubmatch(string(f.body))
	if hint == nil {
		return fmt.Errorf("no hint in\n%s", f.body)
	}
	part, err := v.get(ctx, hint[1]+hint[2]+".m4s")
	if err == nil && !strings.Contains(string(part.body[:min(len(part.body), 64)]), "moof") {
		err = fmt.Errorf("the part begins with %.64q", part.body)
	}
	return err
}

// growingSegment asks for a segment in production, which comes bit by bit.
func (v *proxied) growingSegment(ctx context.Context) error {
	for range 4 {
		f, err := v.get(ctx, "index.mpd")
		if err != nil {
			return err
		}
		m, err := lists.ParseMPD(v.base+"index.mpd", f.body)
		if err != nil {
			return err
		}
		tracks, err := m.Tracks()
		if err != nil {
			return err
		}
		for _, track := range tracks {
			if !strings.Contains(track.Segments[0].URI, "/v1/") {
				continue
			}
			segment, err := v.get(ctx, track.Segments[len(track.Segments)-1].URI)
			if err != nil {
				return err
			}
			if segment.last-segment.first > 600*time.Millisecond {
				return nil // it was there in part, and grew
			}
		}
	}
	return errors.New("four segments in production came as wholes, though each lasts two seconds")
}
