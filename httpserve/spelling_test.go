package httpserve

import (
	"strings"
	"testing"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// A name is the same with escapes that it needn't have, and no cache is filled
// with its spellings.
func TestSpellings(t *testing.T) {
	s := newSite(t)
	s.feed(t, 12)
	name, err := packager.ParseStreamName("live", "cam~1")
	if err != nil {
		t.Fatal(err)
	}
	if s.p, err = s.Catalog.Publish(name); err != nil {
		t.Fatal(err)
	}
	if err := s.p.SetTracks([]remux.Track{track}); err != nil {
		t.Fatal(err)
	}
	s.feed(t, 12)
	segment := links(body(t, s.do("GET", "/live/cam~1/a1.m3u8")))[0]
	for _, path := range []string{"/live/cam~1/", "/live/cam~1/index.m3u8", "/live/cam~1/index.mpd", "/live/cam~1/a1.m3u8", "/live/cam~1/" + segment, "/_/ui/player.js"} {
		want := s.do("GET", path)
		text := body(t, want)
		if want.StatusCode != 200 || want.Header.Get("Cache-Control") == "no-store" {
			t.Errorf("%s: %d, cache %q", path, want.StatusCode, want.Header.Get("Cache-Control"))
		}
		for _, other := range []string{
			strings.Replace(path, "~", "%7E", 1), strings.Replace(path, "~", "%7e", 1), strings.Replace(path, "/live", "/%6cive", 1),
			strings.Replace(path, "1/", "%31/", 1), path[:len(path)-2] + "%" + strings.ToUpper(hex(path[len(path)-2])) + path[len(path)-1:],
		} {
			if other == path {
				continue
			}
			r := s.do("GET", other)
			if r.StatusCode != 200 || body(t, r) != text || r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d, cache %q", other, r.StatusCode, r.Header.Get("Cache-Control"))
			}
		}
	}
	// What means something else stays that.
	for _, path := range []string{"/live%2fcam~1/index.m3u8", "/live/cam~1%2Findex.m3u8", "/live/cam%257E1/", "/live/%2e%2e/index.m3u8", "/live/%2Ecam/index.m3u8",
		"/live/%2e/cam~1/index.m3u8", "/live/cam~1%00/", "/live/cam~1/a1/%2e%2e/a1.m3u8", "/_/ui/%2e%2e/ui/player.js", "/live/cam~1%20/"} {
		if r := s.do("GET", path); r.StatusCode != 404 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

func hex(c byte) string { return string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]) }

// Where everybody may watch, a pass is for nothing, and can be anything.
func TestPassForNothing(t *testing.T) {
	s := newSite(t)
	s.feed(t, 12)
	segment := links(body(t, s.do("GET", "/live/cam1/a1.m3u8")))[0]
	for _, path := range []string{"/live/cam1/", "/live/cam1/index.m3u8", "/live/cam1/index.mpd", "/live/cam1/a1.m3u8", "/live/cam1/a1.m3u8?_HLS_skip=YES", "/live/cam1/" + segment} {
		text := body(t, s.do("GET", path))
		for _, pass := range []string{"/t/a", "/t/b", "/t/PASS.live.cam1"} {
			for _, header := range []string{"", "Range", "If-None-Match"} {
				headers := []string{}
				if header != "" {
					headers = []string{header, "bytes=0-9"}
				}
				r := s.do("GET", pass+path, headers...)
				if got := r.Header.Get("Cache-Control"); r.StatusCode > 206 || got != "no-store" || header == "" && body(t, r) != text && !strings.HasSuffix(path, "/") {
					t.Errorf("%s: %d, cache %q", pass+path, r.StatusCode, got)
				}
			}
		}
		if got := s.do("GET", path).Header.Get("Cache-Control"); got == "no-store" {
			t.Errorf("%s: cache %q", path, got)
		}
	}
}
