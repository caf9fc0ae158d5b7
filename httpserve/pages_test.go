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
		for _, asset := range []string{"ui/player.js", "ui/landing.js", "ui/player.css", "ui/landing.css", "ui/base.css", "ui/icon.svg", "ui/library.js"} {
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
