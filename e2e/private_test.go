package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// tokens is a webhook that knows every token but those that begin with bad, and
// counts how often it is asked. A token is the viewer's id; one that begins with
// short is good for as long as shortSession.
type tokens struct {
	mu    sync.Mutex
	asked map[string]int
}

const shortSession = 8 // s

func (k *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct{ Token, Path, Action string }
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Action != "read" || strings.HasPrefix(q.Token, "bad") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	k.mu.Lock()
	k.asked[q.Token]++
	k.mu.Unlock()
	answer := map[string]any{"id": q.Token}
	if strings.HasPrefix(q.Token, "short") {
		answer["session"] = shortSession
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

// playersPage serves a page with all players on another origin than the media.
func playersPage(t testing.TB) string {
	t.Helper()
	modules := filepath.Join("..", "web", "node_modules")
	mux := http.NewServeMux()
	for path, file := range map[string]string{
		"/{$}":      filepath.Join("testdata", "players.html"),
		"/hls.js":   filepath.Join("..", "web", "dist", "hls.min.js"),
		"/dash.js":  filepath.Join("..", "web", "dist", "dash.all.min.js"),
		"/shaka.js": filepath.Join(modules, "shaka-player", "dist", "shaka-player.compiled.js"),
		"/video.js": filepath.Join(modules, "video.js", "dist", "video.min.js"),
	} {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("%v: run `make web` (needs Node)", err)
		}
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// TestPrivate has players that know of nothing play a stream that needs a
// token, on our page and on somebody else's, by tokens that let in once.
func TestPrivate(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for a minute")
	}
	t.Parallel()
	const stream = "live/private"
	hook := &tokens{asked: make(map[string]int)}
	door := httptest.NewServer(hook)
	t.Cleanup(door.Close)
	elsewhere := playersPage(t)
	s := startServer(t, "-watch-token-keys", tokenKey, "-watch-webhook-url", door.URL, "-watch-watermark", "-window-part-duration", "1s")
	s.pushClipLoop(t, clip360(t), stream)
	b := browse(t)
	first := s.enter(t, s.url(stream+"/index.mpd?token=first"))
	eventually(t, 20*time.Second, "the stream can be played", func() error {
		_, err := s.body(t.Context(), first)
		return err
	})

	for _, c := range []struct{ name, url string }{
		{"page-hls", s.url(stream + "/?token=page-hls#hls")},
		{"page-dash", s.url(stream + "/?token=page-dash#dash")},
		{"hls", elsewhere + "/?hls#" + s.url(stream+"/index.m3u8?token=hls")},
		{"dash", elsewhere + "/?dash#" + s.url(stream+"/index.mpd?token=dash")},
		{"shaka", elsewhere + "/?shaka#" + s.url(stream+"/index.mpd?token=shaka")},
		{"native", elsewhere + "/?native#" + s.url(stream+"/index.m3u8?token=native")},
	} {
		b.mu.Lock()
		b.faults = nil
		b.mu.Unlock()
		b.open(t, "about:blank") // a # alone would not load anything
		b.open(t, c.url)
		b.awaitMoving(t, 4)
		t.Logf("%s plays", c.name)
		for _, f := range b.found("redirect: ", "net::ERR_ABORTED") {
			t.Errorf("%s: %s", c.name, f)
		}
		if n := len(b.found("net::ERR_ABORTED")); n > 2 { // to the pass, and no more
			t.Errorf("%s: redirected again and again: %v", c.name, b.found())
		}
		for _, e := range eval[[]pageError](t, b, "window.errors ?? sluice.errors") {
			if !e.Fatal && strings.HasPrefix(e.Message, "buffer") {
				t.Logf("%s: %s", c.name, e.Message) // hls.js waited: TestPlays judges that
				continue
			}
			t.Errorf("%s: %+v", c.name, e)
		}
		if !strings.HasPrefix(c.name, "page") {
			continue
		}
		if path := eval[string](t, b, "location.pathname + location.search"); !strings.HasPrefix(path, "/t/") || strings.Contains(path, "token") {
			t.Errorf("%s: the page is at %s", c.name, path)
		}
		mark := watermark(t, b)
		if mark.Text != c.name || !mark.Inside || mark.Share {
			t.Errorf("%s: %+v", c.name, mark)
		}
		eventually(t, 5*time.Second, "the watermark moves", func() error {
			if now := watermark(t, b); now.X == mark.X || now.Y == mark.Y {
				return fmt.Errorf("it was at %v, %v", mark.X, mark.Y)
			}
			return nil
		})
		b.screenshot(t, c.name)
	}

	// One who stays longer than he may is told so.
	b.open(t, "about:blank")
	b.open(t, s.url(stream+"/?token=short#hls"))
	b.awaitMoving(t, 1)
	eventually(t, (shortSession+40)*time.Second, "the page says that the pass has ended", func() error {
		if text := eval[string](t, b, "document.getElementById('card').innerText"); !strings.Contains(text, "may not watch") || !strings.Contains(text, "expired") {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
	b.screenshot(t, "expired")

	hook.mu.Lock()
	for token, n := range hook.asked {
		if n != 1 {
			t.Errorf("the webhook was asked %d times about %s", n, token)
		}
	}
	hook.mu.Unlock()
	s.private(t, stream, first)
}

// private looks for ways around: a pass of one stream, or none.
func (s *server) private(t *testing.T, stream, manifest string) {
	t.Helper()
	body := s.get(t, manifest)
	m, err := lists.ParseMPD(manifest, body)
	if err != nil {
		t.Fatal(err)
	}
	tracks, err := m.Tracks()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, tr := range tracks {
		all = append(all, tr.Header)
		for _, seg := range tr.Segments {
			all = append(all, seg.URI)
		}
	}
	all = append(all, s.playlists(t, strings.TrimSuffix(manifest, "mpd")+"m3u8")...)
	if len(all) < 6 {
		t.Fatalf("only %q", all)
	}
	for _, u := range all {
		pass, path, ok := strings.Cut(strings.TrimPrefix(u, s.url("t/")), "/")
		if !ok || !strings.HasPrefix(path, stream+"/") {
			t.Errorf("%s is not below the pass", u)
			continue
		}
		r := s.do(t, "GET", u)
		if err := r.is(200); err != nil || !strings.HasPrefix(r.header.Get("Cache-Control"), "private, ") {
			t.Errorf("%s: %v, cache %q", u, err, r.header.Get("Cache-Control"))
		}
		for _, other := range []string{
			s.url(path), // without a pass
			s.url("t/" + pass[:len(pass)-1] + "/" + path),
			s.url("t/" + pass + "/" + strings.Replace(path, stream, stream+"2", 1)),
			s.url(path + "?token=bad"),
		} {
			r := s.do(t, "GET", other)
			if r.status != 401 && r.status != 403 || r.header.Get("Cache-Control") != "no-store" || r.header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s: %d %v", other, r.status, r.header)
			}
		}
	}
}

// playlists returns what a multivariant playlist and its media playlists name,
// and themselves.
func (s *server) playlists(t *testing.T, multivariant string) []string {
	t.Helper()
	multi, err := lists.StrictMultivariant(multivariant, s.get(t, multivariant))
	if err != nil {
		t.Fatal(err)
	}
	all := []string{multivariant}
	for _, u := range multi.Media() {
		p, err := lists.Strict(u, s.get(t, u))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
		for _, seg := range p.Segments {
			all = append(all, seg.Header, seg.URI)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// awaitMoving waits until the picture has moved for seconds.
func (b *browser) awaitMoving(t testing.TB, seconds float64) {
	t.Helper()
	b.awaitWidth(t, 640, seconds)
}

// awaitWidth is awaitMoving for a picture of another width.
func (b *browser) awaitWidth(t testing.TB, width int, seconds float64) {
	t.Helper()
	eventually(t, 30*time.Second, "the picture moves", func() error {
		events := eval[[]mediaEvent](t, b, "e2e.events")
		i := slices.IndexFunc(events, func(e mediaEvent) bool { return e.Type == "playing" })
		if i < 0 {
			return fmt.Errorf("no playing event: %v", b.found())
		}
		if now := eval[sample](t, b, "e2e.sample()"); now.Time < events[i].Time+seconds || now.Width != width {
			return fmt.Errorf("currentTime was %v when it began to play, is %v; it is %d wide", events[i].Time, now.Time, now.Width)
		}
		return nil
	})
}

type mark struct {
	Text   string  `json:"text"`
	Inside bool    `json:"inside"` // of what is shown in full screen
	Share  bool    `json:"share"`  // the address is offered to others
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
}

func watermark(t testing.TB, b *browser) mark {
	t.Helper()
	return eval[mark](t, b, `(() => {
		const text = document.getElementById('watermark-text');
		const { x, y } = text.getBoundingClientRect();
		const stage = document.getElementById('stage');
		return { text: text.innerText, inside: stage.contains(text), share: document.getElementById('share').offsetParent !== null, x, y };
	})()`)
}
