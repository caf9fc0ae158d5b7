package httpserve

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/metrics"
)

// What is answered is counted by kind and class, and operators can read it.
func TestMetrics(t *testing.T) {
	s := newSite(t)
	s.Metrics = metrics.New()
	s.handler = s.Handler()
	s.feed(t, 12)
	for _, path := range []string{"/live/cam1/a1.m3u8", "/live/cam1/index.mpd", "/live/nobody/index.mpd", "/live/cam1/a1/x", "/nowhere"} {
		s.do("GET", path)
	}
	w := httptest.NewRecorder()
	s.admin().ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/metrics", nil))
	for _, line := range []string{
		`{code="2xx",kind="playlist"} 1`, `{code="2xx",kind="manifest"} 1`, `{code="4xx",kind="manifest"} 1`,
		`{code="4xx",kind="media"} 1`, `{code="4xx",kind="unknown"} 1`,
	} {
		if !strings.Contains(w.Body.String(), "\nsluice_http_requests_total"+line+"\n") {
			t.Errorf("no %s in\n%s", line, w.Body)
		}
	}
}
