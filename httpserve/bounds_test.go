package httpserve

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest/metrics"
)

func prefixes(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

func TestLocate(t *testing.T) {
	s := &Server{Proxies: prefixes("10.0.0.0/8", "2001:db8:aa::/48")}
	for _, test := range []struct {
		peer, xff, forwarded, want string
	}{
		{"192.0.2.1", "", "", "192.0.2.1"},
		{"192.0.2.1", "198.51.100.1", "", "192.0.2.1"}, // anybody can say that
		{"192.0.2.1", "", "for=198.51.100.1", "192.0.2.1"},
		{"10.0.0.1", "", "", "10.0.0.1"},
		{"10.0.0.1", "198.51.100.1", "", "198.51.100.1"},
		{"::ffff:10.0.0.1", "::ffff:198.51.100.1", "", "198.51.100.1"},
		{"10.0.0.1", "127.0.0.1, 198.51.100.1", "", "198.51.100.1"}, // what the viewer wrote itself
		{"10.0.0.1", "198.51.100.1, 10.0.0.2,10.0.0.3", "", "198.51.100.1"},
		{"10.0.0.1", "198.51.100.1:4711", "", "198.51.100.1"},
		{"10.0.0.1", "[2001:db8::1]:4711", "", "2001:db8::1"},
		{"10.0.0.1", "2001:db8::1", "", "2001:db8::1"},
		{"2001:db8:aa::1", "198.51.100.1", "", "198.51.100.1"},
		{"10.0.0.1", "198.51.100.1, rubbish, 10.0.0.2", "", "10.0.0.2"},
		{"10.0.0.1", "10.0.0.2", "", "10.0.0.2"}, // only proxies
		{"10.0.0.1", "", "for=198.51.100.1", "198.51.100.1"},
		{"10.0.0.1", "", `for=192.0.2.9, For="[2001:db8::1]:4711";proto=https;by=10.0.0.1`, "2001:db8::1"},
		{"10.0.0.1", "", "for=192.0.2.9, for=unknown", "10.0.0.1"},
		{"10.0.0.1", "", "for=192.0.2.9, proto=https", "10.0.0.1"},
		{"10.0.0.1", "198.51.100.1", "for=198.51.100.1", "198.51.100.1"},
		{"10.0.0.1", "127.0.0.1", "for=198.51.100.1", "400"}, // one of them the viewer wrote
		{"10.0.0.1", "", "", "10.0.0.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(test.peer), 1234).String()
		if test.xff != "" {
			r.Header.Set("X-Forwarded-For", test.xff)
		}
		if test.forwarded != "" {
			r.Header.Set("Forwarded", test.forwarded)
		}
		got := ""
		if err := s.Locate(r); err != nil {
			got = fmt.Sprint(status(err))
		} else {
			got = remote(r).String()
		}
		if got != test.want {
			t.Errorf("%s, X-Forwarded-For %q, Forwarded %q: %s, want %s", test.peer, test.xff, test.forwarded, got, test.want)
		}
	}
}

// Two header lines are one list, the later on the right.
func TestLocateSeveralLines(t *testing.T) {
	s := &Server{Proxies: prefixes("10.0.0.0/8")}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header["X-Forwarded-For"] = []string{"127.0.0.1", "198.51.100.1", "10.0.0.2"}
	if err := s.Locate(r); err != nil || remote(r).String() != "198.51.100.1" {
		t.Errorf("%v, %v", remote(r), err)
	}
}

func TestBounds(t *testing.T) {
	s := newSite(t)
	s.feed(t, 12)
	playlist := "/live/cam1/a1.m3u8"
	segment := "/live/cam1/" + links(body(t, s.do("GET", playlist)))[0]
	for _, test := range []struct {
		name string
		r    *http.Request
		code int
	}{
		{"a body", httptest.NewRequest("GET", playlist, strings.NewReader("x")), 413},
		{"a body to something else", httptest.NewRequest("POST", "/nowhere", strings.NewReader("x")), 413},
		{"a long query", httptest.NewRequest("GET", playlist+"?"+strings.Repeat("a", 4097), nil), 414},
		{"a query", httptest.NewRequest("GET", playlist+"?"+strings.Repeat("a", 4096), nil), 200},
	} {
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, test.r)
		if w.Code != test.code || test.code != 200 && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d", test.name, w.Code)
		}
	}
	// F27: absurd ranges.
	whole := body(t, s.do("GET", segment))
	for _, test := range []struct {
		ranges string
		code   int
	}{
		{"bytes=0-0", 206}, {"bytes=-1", 206}, {"bytes=0-", 206}, {"bytes=5-99999999999999999", 206},
		{"bytes=0-0,2-2,4-4", 200}, {"bytes=" + strings.Repeat("0-,", 1000) + "0-", 200},
		{"bytes=99999999999999999999-", 416}, {"bytes=18446744073709551615-", 416}, {"bytes=-", 416}, {"bytes=5-1", 416},
		{"bytes=9999999-", 416}, {"bytes=a-b", 416}, {"bytes=--1", 416}, {"lines=1-2", 416}, {"bytes", 416},
	} {
		r := s.do("GET", segment, "Range", test.ranges)
		got := body(t, r)
		if r.StatusCode != test.code || test.code == 200 && got != whole {
			t.Errorf("%.40s: %d with %d bytes", test.ranges, r.StatusCode, len(got))
		}
	}
}

// Those who wait are counted by address and by stream, and one more is told to
// come back.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.Metrics = metrics.New()
		s.Waits = Waits{PerAddress: 3, PerStream: 5, Exempt: prefixes("10.0.0.0/8")}
		s.Proxies = prefixes("10.1.0.0/16")
		s.handler = s.Handler()
		s.feed(t, 12)
		msn, parts := at(t, s)
		var wait sync.WaitGroup
		ask := func(peer, forwarded string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", fmt.Sprintf("/live/cam1/a1.m3u8?_HLS_msn=%d&_HLS_part=%d", msn, parts), nil)
			r.RemoteAddr = peer + ":1"
			if forwarded != "" {
				r.Header.Set("X-Forwarded-For", forwarded)
			}
			w := httptest.NewRecorder()
			w.Code = 0
			wait.Go(func() { s.handler.ServeHTTP(w, r) })
			synctest.Wait()
			return w
		}
		for range 2 {
			ask("192.0.2.1", "")
		}
		ask("10.1.0.1", "192.0.2.1") // the same by a proxy
		if w := ask("192.0.2.1", ""); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
			t.Errorf("the fourth of one address: %d", w.Code)
		}
		if w := ask("192.0.2.1", ""); s.do("GET", "/live/cam1/a1.m3u8").StatusCode != 200 {
			t.Errorf("what needs no wait is refused, too: %d", w.Code)
		}
		for range 2 {
			ask("10.0.0.1", "") // exempt, and yet of this stream
		}
		if w := ask("10.0.0.1", ""); w.Code != 503 {
			t.Errorf("the sixth of one stream: %d", w.Code)
		}
		s.feedPart(t)
		wait.Wait()
		if n := len(s.waiters.addresses) + len(s.waiters.streams); n != 0 {
			t.Errorf("%d are still counted", n)
		}
		scrape := httptest.NewRecorder()
		s.admin().ServeHTTP(scrape, httptest.NewRequest("GET", "http://localhost/metrics", nil))
		for _, line := range []string{`sluice_refused_total{what="waits_per_address"} 2`, `sluice_refused_total{what="waits_per_stream"} 1`, "sluice_blocked_requests 0", "sluice_blocked_request_seconds_count 5"} {
			if !strings.Contains(scrape.Body.String(), "\n"+line+"\n") {
				t.Errorf("no %s", line)
			}
		}
		time.Sleep(time.Second)
	})
}

// Operators' programs read problems, whatever is wrong: also a body that nobody takes.
func TestOperatorsBodies(t *testing.T) {
	s := newSite(t)
	chunked := httptest.NewRequest("POST", "http://localhost/api/v1/streams/live/cam1/switch", strings.NewReader("{}"))
	chunked.ContentLength = -1
	for name, r := range map[string]*http.Request{
		"too long": httptest.NewRequest("POST", "http://localhost/api/v1/streams/live/cam1/switch", strings.NewReader(strings.Repeat(" ", 4097))),
		"chunked":  chunked,
	} {
		w := httptest.NewRecorder()
		s.admin().ServeHTTP(w, r)
		if w.Code != 413 || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), `"status":413`) || !strings.Contains(w.Body.String(), "4096") {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
}
