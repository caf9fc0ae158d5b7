package admin

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
)

// thousand is a Server with a thousand streams.
func thousand(tb testing.TB) *Server {
	h, s := office(tb)
	h.all = slices.Repeat([]*packager.Stream{h.all[0]}, 1000)
	return s
}

// A thousand streams are listed in 50 ms: the quickest of some lists, as other
// work on the machine, and the race detector, make single ones late. BenchmarkList shows the 99th percentile.
func TestListIsQuick(t *testing.T) {
	h := thousand(t).Handler(nil)
	took := make([]time.Duration, 25)
	for i := range took {
		took[i] = list(t, h.ServeHTTP)
	}
	slices.Sort(took)
	if took[0] > 50*time.Millisecond {
		t.Errorf("a thousand streams are listed in %v", took)
	}
}

func BenchmarkList(b *testing.B) {
	h := thousand(b).Handler(nil)
	var took []time.Duration
	for b.Loop() {
		took = append(took, list(b, h.ServeHTTP))
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
}

func list(tb testing.TB, serve func(http.ResponseWriter, *http.Request)) time.Duration {
	r, w := httptest.NewRequest("GET", "http://localhost/api/v1/streams", nil), httptest.NewRecorder()
	began := time.Now()
	serve(w, r)
	took := time.Since(began)
	if w.Code != 200 || w.Body.Len() < 100_000 {
		tb.Fatal(w.Code, w.Body.Len())
	}
	return took
}
