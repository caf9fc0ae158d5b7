package admin

import (
	"encoding/json"
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

// A thousand streams are listed in little more time than it takes to write as much JSON:
// nothing else grows with their number. BenchmarkList shows the 99th percentile.
func TestListIsQuick(t *testing.T) {
	h := thousand(t).Handler(nil)
	r, w := httptest.NewRequest("GET", "http://localhost/api/v1/streams", nil), httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var all any
	if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	took, floor := time.Hour, time.Hour // the quickest of some: other work on the machine makes single ones late
	for range 15 {
		took = min(took, list(t, h.ServeHTTP))
		began := time.Now()
		if _, err := json.Marshal(all); err != nil {
			t.Fatal(err)
		}
		floor = min(floor, time.Since(began))
	}
	t.Logf("a thousand streams are listed in %v, their JSON is written in %v", took, floor)
	if took > 2*floor {
		t.Errorf("a thousand streams are listed in %v, and their JSON is written in %v", took, floor)
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
