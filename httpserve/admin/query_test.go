package admin

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// Nothing that a request says counts for nothing in silence.
func TestQueriesAreReadWhole(t *testing.T) {
	_, s := office(t)
	h := s.Handler(nil)
	for _, query := range []string{"limit=%zz", "limit=1;state=ended", "state=live&state=ended", "app=live&app=live", "nope=1", "limit=1&%zz"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/api/v1/streams?"+query, nil))
		if w.Code != 422 || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

// Who asks by another method hears which ones there are (RFC 9110, section 15.5.6), and who
// only wants to see whether there is an answer gets none of its body, be it without an end.
func TestMethods(t *testing.T) {
	_, s := office(t)
	h := s.Handler(nil)
	for _, c := range []struct {
		method, path string
		code         int
		allow        string
	}{
		{"PATCH", "/api/v1/streams", 405, "GET, HEAD"},
		{"POST", "/api/v1/streams/live/cam1", 405, "GET, HEAD, DELETE"},
		{"GET", "/api/v1/refused/live/cam1", 405, "PUT, DELETE"},
		{"HEAD", "/api/v1/reload", 405, "POST"},
		{"POST", "/healthz", 405, "GET, HEAD"},
		{"DELETE", "/", 405, "GET, HEAD"},
		{"HEAD", "/healthz", 200, ""},
		{"HEAD", "/readyz", 200, ""},
		{"HEAD", "/metrics", 200, ""},
		{"HEAD", "/", 200, ""},
		{"HEAD", "/api/v1/streams", 200, ""},
		{"HEAD", "/api/v1/streams/live/nobody", 404, ""},
		{"HEAD", "/api/v1/events", 200, ""},
		{"HEAD", "/api/v1/log", 200, ""},
	} {
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() { h.ServeHTTP(w, httptest.NewRequest(c.method, "http://localhost"+c.path, nil)); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s %s has no end", c.method, c.path)
		}
		if allow := w.Header().Get("Allow"); w.Code != c.code || allow != c.allow {
			t.Errorf("%s %s: %d, Allow %q", c.method, c.path, w.Code, allow)
		}
		if kinds := w.Header()["Content-Type"]; strings.HasPrefix(c.path, "/api/") && c.code >= 400 && !slices.Equal(kinds, []string{"application/problem+json"}) {
			t.Errorf("%s %s: %v", c.method, c.path, kinds)
		}
	}
}
