package httpserve

import (
	"strings"
	"testing"
)

// A player on another site may add any header to its requests.
func TestPreflights(t *testing.T) {
	for _, s := range []*site{newSite(t), guarded(t)} {
		for _, path := range []string{"/live/cam1/index.m3u8", "/live/cam1/a1/x-1.m4s", "/t/PASS/live/cam1/a1.m3u8", "/nowhere"} {
			for asked, want := range map[string]string{
				"":                          "Range, CMCD-Request",
				"x-playback-session-id":     "x-playback-session-id, range",
				"cmcd-status,cmcd-custom":   "cmcd-status, cmcd-custom",
				"range, x-a ,x-b":           "range, x-a, x-b",
				"authorization":             "authorization",
				"x-a\r\nSet-Cookie: b, x-c": "x-c",
				"x a, <x>, \"x\", x-d":      "x-d",
			} {
				h := []string{"Origin", "https://example.com", "Access-Control-Request-Method", "GET"}
				if asked != "" {
					h = append(h, "Access-Control-Request-Headers", asked)
				}
				r := s.do("OPTIONS", path, h...)
				allowed := r.Header.Get("Access-Control-Allow-Headers")
				got := map[string]bool{}
				for name := range strings.SplitSeq(allowed, ",") {
					got[strings.ToLower(strings.TrimSpace(name))] = true
				}
				for name := range strings.SplitSeq(want, ", ") {
					if !got[strings.ToLower(name)] {
						t.Errorf("%s, asked for %q: no %s in %q", path, asked, name, allowed)
					}
				}
				if r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(r.Header.Get("Access-Control-Allow-Methods"), "GET") ||
					!strings.Contains(r.Header.Get("Vary"), "Access-Control-Request-Headers") {
					t.Errorf("%s: %d %v", path, r.StatusCode, r.Header)
				}
				if strings.ContainsAny(allowed, "\r\n<>\"") || strings.Contains(allowed, "Set-Cookie") {
					t.Errorf("asked for %q: %q", asked, allowed)
				}
			}
		}
	}
}
