package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// TestDelivery looks at how everything travels: types, caching, ranges, other
// sites' players.
func TestDelivery(t *testing.T) {
	t.Parallel()
	const stream = "live/delivery"
	s := startServer(t)
	p := publish(t, s.rtmpURL(stream), nil, clipTags(t, clip360(t)))
	awaitPlayable(t, s, stream)
	w := s.watch(t, stream)
	eventually(t, 20*time.Second, "two segments", func() error { return w.has(2) })
	w.stop(t)
	files := w.listed()
	header, segment := files[0], files[1]
	for _, f := range files {
		if strings.Contains(f, "/v1/") && strings.HasSuffix(f, ".m4s") {
			segment = f
		}
		if strings.Contains(f, "/v1/") && strings.HasSuffix(f, ".mp4") {
			header = f
		}
	}
	var audio string
	for _, f := range files {
		if strings.Contains(f, "/a1/") && strings.HasSuffix(f, ".m4s") {
			audio = f
		}
	}
	base := s.url(stream + "/")

	t.Run("types_and_caching", func(t *testing.T) {
		short := func(most int) func(string) error { return func(v string) error { return shortAge(v, most) } }
		for _, c := range []struct {
			url, contentType string
			caching          func(string) error
		}{
			{base + "index.m3u8", "application/vnd.apple.mpegurl", short(2)},
			{base + "v1.m3u8", "application/vnd.apple.mpegurl", short(2)},
			{base + "a1.m3u8", "application/vnd.apple.mpegurl", short(2)},
			{base + "index.mpd", "application/dash+xml", short(2)},
			{header, "video/mp4", forEver},
			{segment, "video/mp4", forEver},
			{audio, "audio/mp4", forEver},
			{s.url("time"), "text/plain; charset=utf-8", noStore},
		} {
			r := s.do(t, http.MethodGet, c.url)
			if err := r.is(http.StatusOK); err != nil {
				t.Error(err)
				continue
			}
			if got := r.header.Get("Content-Type"); got != c.contentType {
				t.Errorf("%s: Content-Type %q, not %q", c.url, got, c.contentType)
			}
			if err := c.caching(r.header.Get("Cache-Control")); err != nil {
				t.Errorf("%s: %v", c.url, err)
			}
			if got := r.header.Get("Content-Length"); got != strconv.Itoa(len(r.body)) {
				t.Errorf("%s: Content-Length %q for %d bytes", c.url, got, len(r.body))
			}
			for _, h := range []string{"Set-Cookie", "Age"} {
				if v := r.header.Get(h); v != "" {
					t.Errorf("%s: %s: %s", c.url, h, v)
				}
			}
		}
	})

	t.Run("other_sites", func(t *testing.T) {
		for _, u := range []string{base + "index.m3u8", base + "index.mpd", base + "v1.m3u8", header, segment, s.url("time")} {
			s.checkOrigin(t, u, http.StatusOK)
		}
		for _, u := range s.missing(base, segment) {
			s.checkOrigin(t, u, http.StatusNotFound)
		}
	})

	t.Run("missing", func(t *testing.T) {
		for _, u := range s.missing(base, segment) {
			r := s.do(t, http.MethodGet, u)
			if err := r.is(http.StatusNotFound); err != nil {
				t.Error(err)
			}
			if err := noStore(r.header.Get("Cache-Control")); err != nil {
				t.Errorf("%s: %v", u, err)
			}
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			r := s.do(t, method, base+"index.m3u8")
			if err := r.is(http.StatusMethodNotAllowed); err != nil {
				t.Error(err)
			}
			if r.header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s: no Access-Control-Allow-Origin", method)
			}
		}
	})

	t.Run("HEAD", func(t *testing.T) {
		// Lists change while they are looked at, so their length may, too.
		for _, u := range []string{header, segment, audio, base + "index.m3u8", base + "index.mpd", base + "v1.m3u8", base, s.url("")} {
			eventually(t, 5*time.Second, "HEAD has the headers of GET: "+u, func() error {
				get, head := s.do(t, http.MethodGet, u), s.do(t, http.MethodHead, u)
				if len(head.body) > 0 || head.status != get.status {
					return fmt.Errorf("HEAD: status %d, %d bytes", head.status, len(head.body))
				}
				get.header.Del("Date")
				head.header.Del("Date")
				if a, b := fmt.Sprint(get.header), fmt.Sprint(head.header); a != b {
					return fmt.Errorf("GET has\n%s\nHEAD has\n%s", a, b)
				}
				return nil
			})
		}
	})

	t.Run("ranges", func(t *testing.T) {
		for _, u := range []string{header, segment, audio} {
			s.checkRanges(t, u)
		}
	})

	t.Run("conditional", func(t *testing.T) {
		whole := s.do(t, http.MethodGet, segment)
		tag := whole.header.Get("ETag")
		if tag == "" {
			t.Fatal("no ETag")
		}
		if err := s.do(t, http.MethodGet, segment, "If-None-Match", tag).is(http.StatusNotModified); err != nil {
			t.Error(err)
		}
	})

	t.Run("clock", func(t *testing.T) {
		m, err := lists.ParseMPD(base+"index.mpd", s.get(t, base+"index.mpd"))
		if err != nil {
			t.Fatal(err)
		}
		u, err := m.Base.Parse(m.UTCTimings[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse("2006-01-02T15:04:05.999Z", string(s.get(t, u.String())))
		if err != nil {
			t.Fatal(err)
		}
		if off := time.Since(now).Abs(); off > time.Second {
			t.Errorf("%s is %v from here", u, off)
		}
	})
	p.goodbye(t)
}

// missing lists what does not exist, beside what does.
func (s *server) missing(base, segment string) []string {
	number := regexp.MustCompile(`\d+\.m4s$`)
	return []string{
		s.url("live/nobody/index.m3u8"),
		s.url("live/nobody/index.mpd"),
		s.url("live/nobody/v1.m3u8"),
		base + "v9.m3u8",
		base + "nothing",
		number.ReplaceAllString(segment, "1.m4s"),
		number.ReplaceAllString(segment, "99999999999.m4s"),
		strings.Replace(segment, "/v1/", "/v2/", 1),
		strings.Replace(segment, ".m4s", ".ts", 1),
	}
}

func noStore(v string) error {
	if v != "no-store" {
		return fmt.Errorf("Cache-Control %q, not no-store", v)
	}
	return nil
}

func forEver(v string) error {
	age, err := maxAge(v)
	if err == nil && (age < 86400 || !strings.Contains(v, "immutable")) {
		err = fmt.Errorf("Cache-Control %q for bytes that never change", v)
	}
	return err
}

// shortAge wants a positive age: without one, caches that join requests
// answer viewers one after another.
func shortAge(v string, most int) error {
	age, err := maxAge(v)
	if err == nil && (age < 1 || age > most || strings.Contains(v, "immutable")) {
		err = fmt.Errorf("Cache-Control %q for a list that changes", v)
	}
	return err
}

func maxAge(v string) (int, error) {
	m := regexp.MustCompile(`(?:^|[ ,])max-age=(\d+)(?:,|$)`).FindStringSubmatch(v)
	if m == nil {
		return 0, fmt.Errorf("Cache-Control %q has no max-age", v)
	}
	return strconv.Atoi(m[1])
}

// checkOrigin asks as a player on another site does.
func (s *server) checkOrigin(t testing.TB, u string, status int) {
	t.Helper()
	r := s.do(t, http.MethodGet, u, "Origin", "http://player.example")
	if err := r.is(status); err != nil {
		t.Error(err)
	}
	if got := r.header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("%s: Access-Control-Allow-Origin %q", u, got)
	}
	for _, h := range []string{"Date", "Content-Length"} {
		if !strings.Contains(r.header.Get("Access-Control-Expose-Headers"), h) {
			t.Errorf("%s: %s is not exposed", u, h)
		}
	}
	pre := s.do(t, http.MethodOptions, u, "Origin", "http://player.example",
		"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "range")
	if err := pre.is(http.StatusNoContent); err != nil {
		t.Error(err)
	}
	for h, want := range map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET", "Access-Control-Allow-Headers": "Range",
	} {
		if !strings.Contains(pre.header.Get(h), want) {
			t.Errorf("OPTIONS %s: %s: %q", u, h, pre.header.Get(h))
		}
	}
}

func (s *server) checkRanges(t testing.TB, u string) {
	t.Helper()
	whole := s.do(t, http.MethodGet, u)
	if got := whole.header.Get("Accept-Ranges"); got != "bytes" {
		t.Errorf("%s: Accept-Ranges %q", u, got)
	}
	n := len(whole.body)
	for _, c := range []struct {
		spec     string
		from, to int // from > to: not to be had
	}{
		{"bytes=0-0", 0, 1},
		{"bytes=0-99", 0, 100},
		{"bytes=100-", 100, n},
		{"bytes=-100", n - 100, n},
		{"bytes=100-9007199254740991", 100, n}, // what players ask for when they don't know the end
		{fmt.Sprintf("bytes=%d-%d", n-1, n+10), n - 1, n},
		{fmt.Sprintf("bytes=%d-", n), 1, 0},
	} {
		r := s.do(t, http.MethodGet, u, "Range", c.spec)
		if c.from > c.to {
			if err := r.is(http.StatusRequestedRangeNotSatisfiable); err != nil {
				t.Errorf("%s: %v", c.spec, err)
			}
			if got, want := r.header.Get("Content-Range"), fmt.Sprintf("bytes */%d", n); got != want {
				t.Errorf("%s %s: Content-Range %q, not %q", u, c.spec, got, want)
			}
			if r.header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s %s: no Access-Control-Allow-Origin", u, c.spec)
			}
			if v := r.header.Get("Cache-Control"); strings.Contains(v, "immutable") {
				t.Errorf("%s %s: an error with Cache-Control %q", u, c.spec, v)
			}
			continue
		}
		if err := r.is(http.StatusPartialContent); err != nil {
			t.Errorf("%s: %v", c.spec, err)
			continue
		}
		if got, want := r.header.Get("Content-Range"), fmt.Sprintf("bytes %d-%d/%d", c.from, c.to-1, n); got != want {
			t.Errorf("%s %s: Content-Range %q, not %q", u, c.spec, got, want)
		}
		if !bytes.Equal(r.body, whole.body[c.from:c.to]) {
			t.Errorf("%s %s: other bytes", u, c.spec)
		}
	}
}
