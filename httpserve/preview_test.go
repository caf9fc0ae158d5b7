package httpserve

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Operators get the bytes that viewers get, and are no viewers: no pass is asked for, and
// no page of another origin reads along.
func TestPreview(t *testing.T) {
	g := guarded(t)
	h := g.Server.Preview()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Origin", "https://elsewhere.example")
		h.ServeHTTP(w, r)
		return w
	}
	list := get("/live/cam1/index.m3u8")
	if list.Code != 200 || !strings.Contains(list.Body.String(), "#EXTM3U") {
		t.Fatal(list.Code, list.Body)
	}
	for _, name := range []string{"Access-Control-Allow-Origin", "Timing-Allow-Origin"} {
		if list.Header().Get(name) != "" {
			t.Errorf("%s: %s", name, list.Header().Get(name))
		}
	}
	if h := list.Header(); h.Get("Cross-Origin-Resource-Policy") != "same-origin" || !strings.HasPrefix(h.Get("Cache-Control"), "private") {
		t.Errorf("%v", h)
	}
	for _, path := range []string{"/", "/live/cam1/", "/live/cam9/index.m3u8", "/t/pass/live/cam1/index.m3u8"} {
		if w := get(path); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
