package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func scrape(s *Set) string {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func TestSet(t *testing.T) {
	s := New()
	s.Streams(func() map[string]int { return map[string]int{"live": 3} })
	s.Pinned(func() int { return 12345 })
	s.Connected("rtmp")
	s.Connected("rtmp")
	s.Disconnected("rtmp")
	s.Published(Accepted)
	s.Ingested(1000)
	s.Ingested(24)
	s.Dropped()
	s.Refused("connections")
	s.Answered("playlist", 200)
	s.Answered("playlist", 404)
	s.Answered("playlist", 0)
	now := time.Unix(0, 0)
	released := s.Blocked(func() time.Time { now = now.Add(2 * time.Second); return now })
	if got := scrape(s); !strings.Contains(got, "\nsluice_blocked_requests 1\n") {
		t.Error("no request is blocked")
	}
	released()
	got := scrape(s)
	for _, line := range []string{
		`sluice_connections{listener="rtmp"} 1`,
		`sluice_publications_total{result="accepted"} 1`,
		`sluice_publications_total{result="busy"} 0`,
		`sluice_ingest_bytes_total 1024`,
		`sluice_dropped_access_units_total 1`,
		`sluice_refused_total{what="connections"} 1`,
		`sluice_http_requests_total{code="2xx",kind="playlist"} 1`,
		`sluice_http_requests_total{code="4xx",kind="playlist"} 1`,
		`sluice_http_requests_total{code="other",kind="playlist"} 1`,
		`sluice_blocked_requests 0`,
		`sluice_blocked_request_seconds_sum 2`,
		`sluice_streams{state="live"} 3`,
		`sluice_pinned_bytes 12345`,
		`# TYPE go_goroutines gauge`,
		`# TYPE process_open_fds gauge`,
	} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("no %s", line)
		}
	}
}

// A room that is tested alone has no metrics.
func TestNilSet(t *testing.T) {
	var s *Set
	s.Streams(nil)
	s.Connected("rtmp")
	s.Disconnected("rtmp")
	s.Published(Busy)
	s.Ingested(1)
	s.Dropped()
	s.Refused("connections")
	s.Certificate("https", time.Now())
	s.CertificateFailed("https")
	s.Answered("playlist", 200)
	s.Blocked(time.Now)()
	scrape(s)
}
