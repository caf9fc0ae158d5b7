package httpserve

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/packager"
)

// doorman lets in whoever says ?token=good, with a pass that names the stream.
type doorman struct {
	rulesAlone bool
	banned     netip.Addr
	asked      int
	pages      []string
}

type refusal int

func (r refusal) Error() string   { return "not you" }
func (r refusal) HTTPStatus() int { return int(r) }

func (d *doorman) Trusts(r *http.Request) bool { return r.Header.Get("X-Cache-Secret") == "yes" }
func (d *doorman) Pages() []string             { return d.pages }
func (d *doorman) NeedsPass() bool             { return !d.rulesAlone }

func (d *doorman) Place(_ *http.Request, from netip.Addr) error {
	d.asked++
	if from == d.banned {
		return refusal(403)
	}
	return nil
}

func passFor(stream string) string { return "PASS." + strings.ReplaceAll(stream, "/", ".") }

func (d *doorman) Enter(r *http.Request, stream string, _ netip.Addr) (string, error) {
	switch r.URL.Query().Get("token") {
	case "":
		return "", refusal(401)
	case "good":
		return passFor(stream), nil
	case "later":
		return "", refusal(503)
	}
	return "", refusal(403)
}

func (d *doorman) Check(pass, stream string, _ netip.Addr) (string, error) {
	if pass != passFor(stream) {
		return "", refusal(403)
	}
	return "anna", nil
}

// guarded is a site with a stream, and somebody at its door.
func guarded(t testing.TB) *site {
	t.Helper()
	s := newSite(t)
	d := &doorman{}
	s.Viewers = func() Viewers { return d }
	s.handler = s.Handler()
	s.feed(t, 12)
	return s
}

func TestEntrances(t *testing.T) {
	s := guarded(t)
	other, err := packager.ParseStreamName("t", "x") // is not in the way of passes
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Catalog.Publish(other); err != nil {
		t.Fatal(err)
	}
	in := "/t/" + passFor("live/cam1")
	for _, c := range []struct {
		path     string
		code     int
		location string // resolved
	}{
		{"/live/cam1/index.m3u8?token=good", 302, in + "/live/cam1/index.m3u8"},
		{"/live/cam1/index.mpd?token=good", 302, in + "/live/cam1/index.mpd"},
		{"/live/cam1/?token=good", 302, in + "/live/cam1/"},
		{"/t/x/?token=good", 302, "/t/" + passFor("t/x") + "/t/x/"},
		{"/t/x/index.m3u8?token=good", 302, "/t/" + passFor("t/x") + "/t/x/index.m3u8"},
		{"/live/cam1/index.m3u8", 401, ""},
		{"/live/cam1/", 401, ""},
		{"/live/cam1/index.mpd?token=bad", 403, ""},
		{"/live/cam1/index.mpd?token=later", 503, ""},
		// Nobody begins inside, and no token is looked at there.
		{"/live/cam1/a1.m3u8?token=good", 401, ""},
		{"/live/cam1/a1/x-1.m4s?token=good", 401, ""},
		// Below a pass a token is not looked at.
		{"/t/bad/live/cam1/index.m3u8?token=good", 403, ""},
		{in + "/live/cam2/index.m3u8", 403, ""},
		{in + "/live/cam11/index.m3u8", 403, ""},
		{in + "/live%2fcam1/index.m3u8", 401, ""}, // a file of the stream t/PASS…
		{in + "/live/cam1%2findex.m3u8", 401, ""},
		{in + "/live/c%61m1/index.m3u8", 200, ""}, // the same name
		{"/live/c%61m1/index.m3u8", 401, ""},
		{"/live/c%61m1/index.m3u8?token=good", 302, in + "/live/cam1/index.m3u8"},
		{in + "/live/c%2561m1/index.m3u8", 404, ""},
		{in + "/live/cam2/..%2fcam1/index.m3u8", 403, ""},
		{in + "/live/cam1/../cam2/index.m3u8", 404, ""},
		{in + "//live/cam1/index.m3u8", 404, ""},
		{in + "/" + in + "/live/cam1/index.m3u8", 404, ""},
		{"/t//live/cam1/index.m3u8", 404, ""},
		{"/t//live/cam1/index.m3u8?token=good", 404, ""},
		{"//evil.example/index.m3u8?token=good", 404, ""},
		{"/live/%2f%2fevil.example/?token=good", 404, ""},
		{"/live/evil.example%0d%0aX:y/?token=good", 404, ""},
		{in + "/live/other/index.m3u8", 403, ""},
		{in + "/live/cam1/pass", 204, ""},
		{in + "/live/cam2/pass", 403, ""},
		{"/live/cam1/pass", 404, ""},
		{in + "/time", 200, ""},
		{"/time", 200, ""},
		{"/", 200, ""},
		{"/_/ui/player.js", 200, ""},
		{in + "/live/cam1/", 200, ""},
		{in + "/live/cam1/index.m3u8", 200, ""},
		{in + "/live/cam1/index.mpd", 200, ""},
		{in + "/live/cam1/a1.m3u8", 200, ""},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			r := s.do(method, c.path)
			if r.StatusCode != c.code {
				t.Errorf("%s %s: %d, want %d", method, c.path, r.StatusCode, c.code)
			}
			h := r.Header
			if c.code >= 300 && h.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s: cache %q", method, c.path, h.Get("Cache-Control"))
			}
			if strings.HasPrefix(c.path, in) && c.code == 200 && !strings.HasSuffix(c.path, "/time") && !strings.HasPrefix(h.Get("Cache-Control"), "private, ") {
				t.Errorf("%s %s: cache %q", method, c.path, h.Get("Cache-Control"))
			}
			if h.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s %s: players on other sites can't read it", method, c.path)
			}
			if c.code == 401 && h.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s: doesn't say how", method, c.path)
			}
			l := h.Get("Location")
			if l == "" != (c.location == "") {
				t.Errorf("%s %s: goes to %q", method, c.path, l)
			}
			if l == "" {
				continue
			}
			asked, _ := url.Parse("http://host" + c.path)
			if to, err := asked.Parse(l); err != nil || to.String() != "http://host"+c.location || strings.HasPrefix(l, "/") {
				t.Errorf("%s %s: goes to %q, %v %v", method, c.path, l, to, err)
			}
		}
	}
}

// Behind a trusted cache, and where everybody may watch, nothing is private.
func TestPublicCaching(t *testing.T) {
	s := guarded(t)
	open := newSite(t)
	open.feed(t, 12)
	for _, path := range []string{"/live/cam1/index.m3u8", "/live/cam1/index.mpd", "/live/cam1/a1.m3u8", "/live/cam1/"} {
		want := open.do("GET", path).Header.Get("Cache-Control")
		for _, prefix := range []string{"", "/t/any"} {
			r := s.do("GET", prefix+path, "X-Cache-Secret", "yes")
			if got := r.Header.Get("Cache-Control"); r.StatusCode != 200 || got != want || strings.Contains(got, "private") {
				t.Errorf("%s: %d, cache %q, want %q", prefix+path, r.StatusCode, got, want)
			}
		}
	}
	if r := s.do("GET", "/live/cam2/index.m3u8", "X-Cache-Secret", "yes"); r.StatusCode != 404 {
		t.Errorf("what isn't there: %d", r.StatusCode)
	}
}

func TestRulesAlone(t *testing.T) {
	s := guarded(t)
	s.Viewers().(*doorman).rulesAlone = true
	r := s.do("GET", "/live/cam1/a1.m3u8")
	if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Cache-Control"), "private, max-age=") {
		t.Errorf("%d, cache %q", r.StatusCode, r.Header.Get("Cache-Control"))
	}
	s.Viewers().(*doorman).banned = netip.MustParseAddr("192.0.2.1") // httptest's
	for _, path := range []string{"/live/cam1/", "/live/cam1/index.m3u8", "/live/cam1/a1.m3u8", "/live/cam1/a1/x-1.m4s"} {
		if r := s.do("GET", path); r.StatusCode != 403 || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, cache %q", path, r.StatusCode, r.Header.Get("Cache-Control"))
		}
	}
}

// uris are all that a list or a page of ours refers to, as written.
var uris = regexp.MustCompile(`(?m)^[^#<\s].*$|URI="[^"]*"|(?:href|src|value|media|initialization)="[^"#]*"|<BaseURL>[^<]*|<Location>[^<]*`)

// TestPassPropagates follows everything that lists and manifests name, by what
// a URL is resolved against, and finds all of it below the pass.
func TestPassPropagates(t *testing.T) {
	s := guarded(t)
	seen := map[string]bool{}
	var follow func(at string)
	follow = func(at string) {
		path, _, _ := strings.Cut(at, "?")
		if seen[path] {
			return
		}
		seen[path] = true
		r := s.do("GET", at)
		if r.StatusCode != 200 || r.Header.Get("Location") != "" {
			t.Errorf("%s: %d", at, r.StatusCode)
			return
		}
		if !strings.HasSuffix(path, ".m3u8") && !strings.HasSuffix(path, ".mpd") {
			return
		}
		base, _ := url.Parse("http://host" + at)
		for _, line := range uris.FindAllString(body(t, r), -1) {
			uri := line
			if strings.HasSuffix(path, ".mpd") && strings.HasPrefix(line, `value="`) && !strings.Contains(line, "time") {
				continue // of some other scheme
			}
			if _, v, ok := strings.Cut(line, `="`); ok {
				uri = strings.TrimSuffix(v, `"`)
			}
			if uri == "" || strings.Contains(uri, "$Time$") {
				continue // segments have the names that playlists say
			}
			uri = strings.ReplaceAll(uri, "$RepresentationID$", "a1")
			u, err := base.Parse(uri)
			if err != nil || !strings.HasPrefix(u.Path, "/t/"+passFor("live/cam1")+"/") || u.Host != "host" {
				t.Errorf("%s refers to %q, which leaves the pass behind", path, line)
				continue
			}
			if strings.Contains(uri, "-p") && seen[u.Path] == false && strings.Contains(body(t, s.do("GET", at)), `PRELOAD-HINT:TYPE=PART,URI="`+uri) {
				seen[u.Path] = true // will be
				continue
			}
			follow(u.Path)
		}
	}
	for _, file := range []string{"index.m3u8", "index.mpd"} {
		r := s.do("GET", "/live/cam1/"+file+"?token=good")
		at, err := url.Parse("/live/cam1/" + file)
		if err != nil {
			t.Fatal(err)
		}
		at, err = at.Parse(r.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		follow(at.Path)
	}
	kinds := map[string]int{}
	for path := range seen {
		kinds[path[strings.LastIndexAny(path, "./")+1:]]++
	}
	if kinds["m3u8"] != 2 || kinds["mpd"] != 1 || kinds["mp4"] == 0 || kinds["m4s"] < 10 || kinds["time"] != 1 {
		t.Errorf("followed %v", kinds)
	}
}

// A viewer is shown what he is called, and to nobody else.
func TestWatermark(t *testing.T) {
	s := guarded(t)
	in := "/t/" + passFor("live/cam1") + "/live/cam1/"
	mark := `<meta name="sluice-viewer" content="anna">`
	if strings.Contains(body(t, s.do("GET", in)), mark) {
		t.Error("a watermark that nobody wants")
	}
	s.Watermark = true
	r := s.do("GET", in)
	if !strings.Contains(body(t, r), mark) || r.Header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("no watermark, or one for all: %v", r.Header)
	}
	if strings.Contains(body(t, s.do("GET", in, "X-Cache-Secret", "yes")), mark) {
		t.Error("a cache would show it to others")
	}
}

func TestPassIsNotLogged(t *testing.T) {
	for path, want := range map[string]string{
		"/t/SECRET/live/cam1/a1.m3u8": "/t/…/live/cam1/a1.m3u8",
		"/t/SECRET/time":              "/t/…/time",
		"/live/cam1/index.m3u8":       "/live/cam1/index.m3u8",
	} {
		if got := loggable(path); got != want {
			t.Errorf("%s becomes %s", path, got)
		}
	}
	s := guarded(t)
	var log bytes.Buffer
	s.Log = zerolog.New(&log)
	h := s.guard(s.handle(func(http.ResponseWriter, *http.Request) error { return errors.New("broken") }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/t/SECRET/live/cam1/?token=SECRET", nil))
	s.do("GET", "/live/cam1/?token=SECRET")
	if log.Len() == 0 || strings.Contains(log.String(), "SECRET") {
		t.Errorf("%s", &log)
	}
}
