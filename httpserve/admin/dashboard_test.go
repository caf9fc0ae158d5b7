package admin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The page, and all that it loads, is for operators alone, and nobody puts it into a frame.
func TestDashboard(t *testing.T) {
	const token = "0123456789abcdef"
	for _, path := range []string{"/", "/_/ui/dashboard/main.js", "/preview/live/cam1/index.m3u8"} {
		_, s := office(t)
		s.Preview = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "bytes") })
		s.Token = token
		r, w := httptest.NewRequest("GET", "http://localhost"+path, nil), httptest.NewRecorder()
		s.Handler(nil).ServeHTTP(w, r)
		if w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s without a token: %d", path, w.Code)
		}
		r.SetBasicAuth("operator", token)
		w = httptest.NewRecorder()
		s.Handler(nil).ServeHTTP(w, r)
		h := w.Header()
		if w.Code != 200 || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
		if !strings.HasPrefix(path, "/preview") && (strings.Count(h.Get("Content-Security-Policy"), "frame-ancestors") != 1 || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("X-Frame-Options") != "DENY") {
			t.Errorf("%s: %v", path, h)
		}
	}
	_, s := office(t)
	for path, code := range map[string]int{"/_/ui": 404, "/_/nothing.js": 404, "/_/": 404, "/preview/live/cam1/": 404, "/dashboard": 404} {
		w := httptest.NewRecorder()
		s.Handler(nil).ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+path, nil))
		if w.Code != code {
			t.Errorf("%s: %d, want %d", path, w.Code, code)
		}
	}
}

// A page of the list stays small and its history, too, however many streams there are:
// what the dashboard asks for each few seconds costs a fraction of the whole list.
func TestPageIsQuick(t *testing.T) {
	s := thousand(t)
	s.History = new(History)
	s.History.Look(s.Now(), s.House.Streams(), s.House.Viewers)
	h := s.Handler(nil)
	size := func(path string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+path, nil))
		if w.Code != 200 {
			t.Fatal(path, w.Code)
		}
		return w.Body.Len()
	}
	whole := size("/api/v1/streams")
	for _, path := range []string{"/api/v1/streams?limit=20", "/api/v1/history?limit=20&points=60"} {
		if n := size(path); n > whole/20 {
			t.Errorf("%s is %d bytes, of %d", path, n, whole)
		}
	}
	allocs := func(path string) float64 { return testing.AllocsPerRun(5, func() { size(path) }) }
	if page, all := allocs("/api/v1/streams?limit=20"), allocs("/api/v1/streams"); page > all/4 {
		t.Errorf("a page of 20 takes %v allocations, the whole list %v", page, all)
	}
}
