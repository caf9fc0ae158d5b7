package httpserve

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/web"
)

// links of pages and scripts: a reference, or a module.
var pageLinks = regexp.MustCompile(`(?:href|src)="([^"#]+)"|from '([^']+)'|import\('([^']+)'\)|new URL\('([^']+)', import\.meta\.url\)`)

// Behind a proxy that has us below a path, everything that pages, scripts and
// redirects lead to is below that path, and there, with a pass and without.
func TestBelowAPath(t *testing.T) {
	const below = "/video/tv"
	for name, s := range map[string]*site{"open": newSite(t), "with passes": guarded(t)} {
		if name == "open" {
			s.feed(t, 12)
		}
		origin := httptest.NewServer(s.handler)
		defer origin.Close()
		to, _ := url.Parse(origin.URL)
		proxy := httptest.NewServer(http.StripPrefix(below, httputil.NewSingleHostReverseProxy(to)))
		defer proxy.Close()
		seen := map[string]bool{}
		var follow func(from, at string)
		follow = func(from, at string) {
			if u, err := url.Parse(at); err != nil || seen[u.Path] {
				return
			}
			r, err := http.Get(at)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			seen[r.Request.URL.Path] = true // behind redirects
			if !strings.HasPrefix(r.Request.URL.Path, below+"/") || r.StatusCode != 200 {
				if strings.Contains(at, "/_/dist/") && r.StatusCode == 404 {
					return // a library that was not built
				}
				t.Errorf("%s: %s leads to %s, %s", name, from, r.Request.URL, r.Status)
				return
			}
			kind := r.Header.Get("Content-Type")
			if !strings.HasPrefix(kind, "text/html") && !strings.Contains(kind, "javascript") || strings.Contains(at, "/_/dist/") {
				return
			}
			page := r.Request.URL
			for _, m := range pageLinks.FindAllStringSubmatch(body(t, r), -1) {
				link := strings.Join(m[1:], "")
				u, err := page.Parse(link)
				if err != nil {
					t.Errorf("%s: %s: %v", at, link, err)
					continue
				}
				follow(page.String(), u.String())
			}
		}
		follow("the front page", proxy.URL+below+"/")
		follow("a page", proxy.URL+below+"/live/cam1?token=good")
		follow("a frame", proxy.URL+below+"/live/cam1/embed?token=good")
		for _, asset := range []string{"ui/player.js", "ui/landing.js", "ui/player.css", "ui/landing.css", "ui/base.css", "ui/icon.svg", "ui/library.js", "ui/menus.js", "ui/publishing.js"} {
			if !seen[below+web.Prefix+asset] {
				t.Errorf("%s: nothing leads to %s", name, asset)
			}
		}
		in := below + "/live/cam1/"
		if name != "open" {
			in = below + "/t/" + passFor("live/cam1") + "/live/cam1/"
		}
		if !seen[in] {
			t.Errorf("%s: no page at %s", name, in)
		}
	}
}

// The front page is told what the server is asked to tell, each time.
func TestFrontPage(t *testing.T) {
	s := newSite(t)
	told := web.Publishing{RTMP: 19350}
	s.Publishing = func() web.Publishing { return told }
	if text := body(t, s.do("GET", "/")); !strings.Contains(text, `{&#34;rtmp&#34;:19350}`) {
		t.Error("it isn't told the port")
	}
	told = web.Publishing{RTMPS: 4430, Needs: []web.Need{web.StreamKey}}
	if text := body(t, s.do("GET", "/")); !strings.Contains(text, `{&#34;rtmps&#34;:4430,&#34;needs&#34;:[&#34;key&#34;]}`) {
		t.Error("it isn't told what is so now")
	}
}

// The page for a frame may be shown in one, by those who may show streams; no other page may.
func TestEmbed(t *testing.T) {
	open, closed := newSite(t), guarded(t)
	closed.Viewers().(*doorman).pages = []string{"example.com"}
	for _, c := range []struct {
		site *site
		path string
		want string
	}{
		{open, "/live/cam1/embed", "frame-ancestors *"},
		{open, "/live/cam1/", "frame-ancestors 'none'"},
		{open, "/t/any/live/cam1/embed", "frame-ancestors *"},
		{closed, "/t/" + passFor("live/cam1") + "/live/cam1/embed", "frame-ancestors 'self' example.com:*"},
		{closed, "/t/" + passFor("live/cam1") + "/live/cam1/", "frame-ancestors 'none'"},
	} {
		r := c.site.do("GET", c.path)
		csp := r.Header.Get("Content-Security-Policy")
		if r.StatusCode != 200 || !strings.HasSuffix(csp, "; "+c.want) || strings.Count(csp, "frame-ancestors") != 1 {
			t.Errorf("%s: %d, %s", c.path, r.StatusCode, csp)
		}
		if text := body(t, r); strings.Contains(text, `class="embed"`) != strings.HasSuffix(c.path, "/embed") {
			t.Errorf("%s is the wrong page", c.path)
		}
	}
	r := closed.do("GET", "/live/cam1/embed?token=good")
	if to := r.Header.Get("Location"); r.StatusCode != 302 || to != "../../t/"+passFor("live/cam1")+"/live/cam1/embed" {
		t.Errorf("with a token: %d, to %q", r.StatusCode, to)
	}
	if r := open.do("GET", "/live/.../embed"); r.StatusCode != 404 {
		t.Errorf("of no stream: %d", r.StatusCode)
	}
}

// A browser that is refused gets a page that says so, with the status that others get.
func TestRefusedPage(t *testing.T) {
	s := guarded(t)
	for _, path := range []string{"/live/cam1/", "/live/cam1/embed", "/live/cam1/?token=bad"} {
		plain := s.do("GET", path)
		r := s.do("GET", path, "Accept", "text/html,application/xhtml+xml")
		text := body(t, r)
		if r.StatusCode != plain.StatusCode || !strings.HasPrefix(text, "<!doctype html>") || !strings.Contains(text, strings.TrimSpace(body(t, plain))) {
			t.Errorf("%s: %d, plain %d: %s", path, r.StatusCode, plain.StatusCode, text)
		}
		if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("WWW-Authenticate") != plain.Header.Get("WWW-Authenticate") {
			t.Errorf("%s: %v", path, r.Header)
		}
		if csp := r.Header.Get("Content-Security-Policy"); strings.HasSuffix(csp, "'none'") == strings.HasSuffix(path, "embed") {
			t.Errorf("%s: %s", path, csp)
		}
	}
	if r := s.do("GET", "/live/cam1/index.m3u8", "Accept", "text/html"); strings.Contains(body(t, r), "<html") {
		t.Error("a list is refused by a page")
	}
}
