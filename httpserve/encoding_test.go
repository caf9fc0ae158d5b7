package httpserve

import (
	"net/http"
	"testing"
)

// A weight of 0 is a refusal (RFC 9110, section 12.4.2), however it is written.
func TestAcceptEncoding(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                                false,
		"gzip":                            true,
		"GZip":                            true,
		"x-gzip":                          true,
		"gzip, deflate, br, zstd":         true,
		"deflate, gzip;q=1.0, *;q=0.5":    true,
		"gzip;q=0.001":                    true,
		"gzip;q=0":                        false,
		"gzip ; Q = 0.000":                false,
		"br;q=1.0, gzip;q=0, *;q=0.1":     false,
		"*":                               true,
		"*;q=0":                           false,
		"identity":                        false,
		"identity;q=1, gzip;q=0.5":        false,
		"identity;q=0.5, gzip;q=1":        true,
		"identity;q=0, *":                 true,
		"notgzip":                         false,
		"gzipped, br":                     false,
		"gzip;q=":                         false,
		"gzip;q=-1":                       false,
		"gzip;q=2":                        false,
		"gzip;q=NaN":                      false,
		"gzip;level=9":                    false,
		",, gzip ,":                       true,
		"compress;q=0.5, gzip;q=0.0, br,": false,
	} {
		if got := wantsGzip(http.Header{"Accept-Encoding": {accept}}); got != want {
			t.Errorf("%q: gzip %v", accept, got)
		}
	}
	if !wantsGzip(http.Header{"Accept-Encoding": {"br", "gzip"}}) {
		t.Error("two lines are one list")
	}
	s := newSite(t)
	s.feed(t, 9)
	for _, path := range []string{"/live/cam1/index.m3u8", "/live/cam1/a1.m3u8", "/live/cam1/index.mpd"} {
		if r := s.do("GET", path, "Accept-Encoding", "gzip;q=0"); r.StatusCode != 200 || r.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d, gzip for who refuses it", path, r.StatusCode)
		}
		tag := s.do("GET", path).Header.Get("ETag")
		for match, code := range map[string]int{
			tag: 304, "W/" + tag: 304, `"other", ` + tag: 304, "*": 304,
			`"other"`: 200, "": 200, `"x` + tag[1:]: 200, tag[:len(tag)-1] + `x"`: 200,
		} {
			if r := s.do("GET", path, "If-None-Match", match); r.StatusCode != code {
				t.Errorf("%s, If-None-Match %s: %d, want %d", path, match, r.StatusCode, code)
			}
		}
	}
}
