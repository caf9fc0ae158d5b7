package httpserve

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/packager"
)

// Viewers are told apart by what their players call their sessions, else by where
// they are and what they call themselves; they are forgotten soon.
func TestAudience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		name, _ := packager.ParseStreamName("live", "cam1")
		ask := func(from, agent, query, session string) {
			r := httptest.NewRequest("GET", "/live/cam1/a1/nothing.m4s"+query, nil)
			r.RemoteAddr = from
			r.Header.Set("User-Agent", agent)
			if session != "" {
				r.Header.Set("CMCD-Session", session)
			}
			s.handler.ServeHTTP(httptest.NewRecorder(), r)
		}
		for _, c := range []struct {
			name                       string
			from, agent, query, header string
			more                       int
		}{
			{"first", "192.0.2.1:1000", "Firefox", "", "", 1},
			{"on another connection", "192.0.2.1:2000", "Firefox", "", "", 0},
			{"another browser", "192.0.2.1:1000", "Chrome", "", "", 1},
			{"another machine", "192.0.2.2:1000", "Firefox", "", "", 1},
			{"a session", "192.0.2.1:1000", "Firefox", "?CMCD=bl%3D21300%2Csid%3D%226e2fb550%22%2Cv%3D1", "", 1},
			{"the same from elsewhere", "192.0.2.9:1000", "Chrome", "?x=1&CMCD=sid%3D%226e2fb550%22&y=2", "", 0},
			{"another behind the same proxy", "192.0.2.9:1000", "Chrome", "?CMCD=sid%3D%226e2fb551%22", "", 1},
			{"a session in a header", "192.0.2.9:1000", "Chrome", "", `cid="x",sid="6e2fb552"`, 1},
			{"the same again", "192.0.2.3:1000", "Firefox", "", `sid="6e2fb552"`, 0},
			{"the same in a query", "192.0.2.3:1000", "Firefox", "?CMCD=sid%3D%226e2fb552%22%2Cv%3D2", "", 0},
			{"escaped in small letters", "192.0.2.4:1000", "Firefox", "?CMCD=bl%3d21300%2csid%3d%226e2fb552%22", "", 0},
			{"escaped as far as need be", "192.0.2.5:1000", "Firefox", "?CMCD=bl=21300,sid=%226e2fb552%22", "", 0},
			{"escaped all over", "192.0.2.5:1000", "Firefox", "?CMCD=%73id%3D%22%36e2fb552%22", "", 0},
			{"behind a key of the player's own", "192.0.2.6:1000", "Firefox", "", `com.example-sid="7",sid="6e2fb552"`, 0},
			{"behind a text with such a key in it", "192.0.2.6:1000", "Firefox", "", `cid="a,sid=\"7\"", sid="6e2fb552"`, 0},
			{"beside a parameter that ends alike", "192.0.2.6:1000", "Firefox", "?NOCMCD=sid%3D%227%22&CMCD=sid%3D%226e2fb552%22", "", 0},
			{"in the query, with a header that has none", "192.0.2.6:1000", "Firefox", "?CMCD=sid%3D%226e2fb552%22", `v=2`, 0},
		} {
			before := s.Watching(name)
			ask(c.from, c.agent, c.query, c.header)
			if more := s.Watching(name) - before; more != c.more {
				t.Errorf("%s: %d more, want %d", c.name, more, c.more)
			}
		}
		time.Sleep(turnover)
		ask("192.0.2.1:1000", "Firefox", "", "")
		if n := s.Watching(name); n != 6 {
			t.Errorf("%d are watching, want 6", n)
		}
		time.Sleep(turnover)
		if n := s.Watching(name); n != 1 {
			t.Errorf("%d are watching, want 1", n)
		}
		time.Sleep(2 * turnover)
		s.ForgetAudiences()
		if len(s.audiences.streams) != 0 {
			t.Error("an empty audience is remembered")
		}
	})
}

// A list is a list of strings, also where a proxy has made two headers of one.
func TestSessionInTwoHeaders(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Cmcd-Session"] = []string{"v=2", `sid="a"`}
	if sid := sessionID(r, nil); string(sid) != "a" {
		t.Errorf("%q", sid)
	}
}

func FuzzSessionID(f *testing.F) {
	for _, list := range []string{`sid="a"`, `bl=1,sid="a\"b",v=2`, `sid="`, `sid=a`, `cid="sid=\"b\"",sid="a"`, `%`, `sid=""`} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		plain := string(sessionIn(list, false, nil))
		if escaped := string(sessionIn(url.QueryEscape(list), true, nil)); escaped != plain || len(plain) > longestSession {
			t.Errorf("%q: %q, and %q where it is escaped", list, plain, escaped)
		}
	})
}

// What is known of viewers is bounded, whatever they call themselves.
func TestAudienceIsBounded(t *testing.T) {
	var a audiences
	now := time.Now()
	name, _ := packager.ParseStreamName("live", "cam1")
	r := &http.Request{Header: http.Header{}, URL: httptest.NewRequest("GET", "/", nil).URL}
	for i := range 3 * mostWatching {
		r.URL.RawQuery = fmt.Sprintf("CMCD=sid%%3D%%22%d%%22", i)
		a.note(name, r, netip.Addr{}, now)
		if i == mostWatching/2 {
			now = now.Add(turnover)
		}
	}
	if n := a.of(name, false).size(now); n != mostWatching {
		t.Errorf("%d are known", n)
	}
	for i := range mostAudiences + 10 {
		name, _ := packager.ParseStreamName("live", fmt.Sprint("cam", i))
		a.note(name, r, netip.Addr{}, now)
	}
	if len(a.streams) != mostAudiences {
		t.Errorf("%d audiences", len(a.streams))
	}
}

// Counting a viewer allocates nothing.
func TestAudienceAllocates(t *testing.T) {
	var a audiences
	name, _ := packager.ParseStreamName("live", "cam1")
	r := httptest.NewRequest("GET", "/?CMCD="+strings.Repeat("bl%3D21300%2C", 10)+"sid%3D%226e2fb550%22", nil)
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() { a.note(name, r, netip.Addr{}, now) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
