package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
)

const someKey = "000102030405060708090a0b0c0d0e0f"

// What sign prints lets in, through the rooms as they are connected.
func TestSignedAddressLetsIn(t *testing.T) {
	t.Chdir(t.TempDir())
	environ := []string{"SLUICE_WATCH_TOKEN_KEYS=" + someKey, "SLUICE_RTMP_ADDR=", "SLUICE_HTTP_ADDR=127.0.0.1:0", "SLUICE_ADMIN_ADDR="}
	var out bytes.Buffer
	if err := sign([]string{"-viewer", "anna & co", "-base", "https://tv.example/", "live/cam1"}, environ, time.Now(), &out); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(nil, environ)
	if err != nil {
		t.Fatal(err)
	}
	a, err := listen(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer a.ports.Close()
	h := a.http.Handler()
	get := func(u string) *http.Response {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", u, nil))
		return w.Result()
	}
	for line := range strings.Lines(out.String()) {
		u, err := url.Parse(strings.TrimSpace(line))
		if err != nil || u.Host != "tv.example" {
			t.Fatalf("%s: %v", line, err)
		}
		r := get(u.RequestURI())
		to, err := u.Parse(r.Header.Get("Location"))
		if r.StatusCode != 302 || err != nil || !strings.HasPrefix(to.Path, "/t/") || !strings.HasSuffix(to.Path, u.Path) {
			t.Errorf("%s: %d, to %v", line, r.StatusCode, to)
			continue
		}
		// Nobody publishes; the page is there all the same.
		want := 404
		if strings.HasSuffix(to.Path, "/") {
			want = 200
		}
		if r := get(to.Path); r.StatusCode != want {
			t.Errorf("%s: %d", to, r.StatusCode)
		}
		if r := get(path.Dir(to.Path) + "2/index.m3u8"); r.StatusCode != 403 && r.StatusCode != 401 {
			t.Errorf("another stream: %d", r.StatusCode)
		}
		if r := get(u.Path); r.StatusCode != 401 {
			t.Errorf("without a token: %d", r.StatusCode)
		}
	}
}

func TestSignFaults(t *testing.T) {
	t.Chdir(t.TempDir())
	key := []string{"SLUICE_WATCH_TOKEN_KEYS=" + someKey}
	for _, c := range []struct {
		args, environ []string
		want          string
	}{
		{[]string{"live/cam1"}, nil, "watch.token_keys"},
		{nil, key, "APP/NAME"},
		{[]string{"live"}, key, "empty"},
		{[]string{"live/../x"}, key, "has a slash"},
		{[]string{"live/.x"}, key, "dot"},
		{[]string{"-viewer", "a~acl=/*", "live/cam1"}, key, "viewer"},
	} {
		err := sign(c.args, c.environ, time.Now(), new(bytes.Buffer))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), someKey) {
			t.Errorf("%q: %v, want something of %s", c.args, err, c.want)
		}
	}
}

// Where nothing is said of viewers, nobody is asked about them.
func TestWatchingIsOpen(t *testing.T) {
	c := config.Default().Watch
	if r, err := newRules(config.Default().Publish, c, config.ABR{}); err != nil || r.watching() != nil {
		t.Errorf("%v %v", r.watching(), err)
	}
	for _, close := range []func(*config.Watch){
		func(c *config.Watch) { c.TokenKeys = []string{someKey} },
		func(c *config.Watch) { c.JWT.Secret = someKey },
		func(c *config.Watch) { c.JWT.JWKSURL = "https://example.com/" },
		func(c *config.Watch) { c.Webhook.URL = "https://example.com/" },
		func(c *config.Watch) { c.From = []string{"private"} },
		func(c *config.Watch) { c.Deny = []string{"private"} },
		func(c *config.Watch) { c.Referers = []string{"example.com"} },
	} {
		closed := c
		close(&closed)
		if r, err := newRules(config.Default().Publish, closed, config.ABR{}); err != nil || r.watching() == nil {
			t.Errorf("%+v: open, %v", closed, err)
		}
	}
}
