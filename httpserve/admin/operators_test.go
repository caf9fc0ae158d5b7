package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestOperatorsOnly(t *testing.T) {
	const token = "0123456789abcdef"
	basic := func(password string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth("anybody", password)
		return r.Header.Get("Authorization")
	}
	for _, test := range []struct {
		token, host, path, shown string
		code                     int
	}{
		{"", "127.0.0.1:9090", "/metrics", "", 200},
		{"", "localhost:9090", "/api/v1/streams", "", 200},
		{"", "[::1]:9090", "/debug/pprof/", "", 200},
		{"", "evil.example:9090", "/api/v1/streams", "", 403}, // a name that was made to lead here
		{"", "evil.example", "/metrics", "", 403},
		{"", "evil.example", "/healthz", "", 200},
		{token, "sluice.example", "/healthz", "", 200},
		{token, "sluice.example", "/readyz", "", 200},
		{token, "sluice.example", "/metrics", "", 401},
		{token, "sluice.example", "/metrics", "Bearer " + token, 200},
		{token, "sluice.example", "/metrics", "bearer " + token, 200},
		{token, "sluice.example", "/metrics", basic(token), 200},
		{token, "sluice.example", "/metrics", basic("wrong"), 401},
		{token, "sluice.example", "/metrics", "Bearer " + token[:15], 401},
		{token, "sluice.example", "/api/v1/streams", "Bearer " + token + "x", 401},
		{token, "127.0.0.1", "/debug/pprof/", "Bearer", 401},
		{token, "127.0.0.1", "/debug/pprof/heap", "", 401},
		{"", "127.0.0.1", "/debug/pprof/cmdline", "", 404}, // flags may be secrets
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &Server{House: new(house), Token: test.token, WriteTimeout: 30 * time.Second, Now: time.Now}
			r := httptest.NewRequest("GET", test.path, nil)
			r.Host = test.host
			if test.shown != "" {
				r.Header.Set("Authorization", test.shown)
			}
			w := httptest.NewRecorder()
			s.Handler(nil).ServeHTTP(w, r)
			// Without metrics there is nothing at /metrics, but it isn't refused.
			if test.path == "/metrics" && w.Code == http.StatusNotFound {
				w.Code = http.StatusOK
			}
			if w.Code != test.code || test.code == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%q at %s%s with %q: %d, want %d", test.token, test.host, test.path, test.shown, w.Code, test.code)
			}
		})
	}
}

// A wrong token is answered late: trying is slow. No token is asked for one at
// once.
func TestWrongTokenIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{House: new(house), Token: "0123456789abcdef", WriteTimeout: 30 * time.Second, Now: time.Now}
		for shown, want := range map[string]time.Duration{"": 0, "Bearer 0123456789abcdeX": wrongTokenTime, "Bearer 0123456789abcdef": 0} {
			r := httptest.NewRequest("GET", "http://localhost/api/v1/streams", nil)
			if shown != "" {
				r.Header.Set("Authorization", shown)
			}
			began := time.Now()
			s.Handler(nil).ServeHTTP(httptest.NewRecorder(), r)
			if took := time.Since(began); took != want {
				t.Errorf("%q is answered after %v, want %v", shown, took, want)
			}
		}
	})
}
