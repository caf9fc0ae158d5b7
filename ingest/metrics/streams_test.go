package metrics

import (
	"fmt"
	"strings"
	"testing"
)

// Streams have series of their own, but no more than so many.
func TestSeriesAreBounded(t *testing.T) {
	s := New()
	s.EachStream(func() (all []Stream) {
		for i := range MostStreams + 20 {
			all = append(all, Stream{Name: fmt.Sprintf("live/cam%04d", i), Viewers: i, Bitrate: 80, Bytes: 20, Unwell: 1})
		}
		return all
	})
	s.Sent("media", 100)
	s.Sent("media", 24)
	s.Unwell(func() map[string]int { return map[string]int{"bad": 2} })
	got := scrape(s)
	for _, line := range []string{
		`sluice_stream_viewers{stream="live/cam0007"} 7`,
		`sluice_stream_bytes_per_second{stream="live/cam0007"} 10`,
		`sluice_stream_memory_bytes{stream="live/cam0007"} 20`,
		`sluice_stream_health_sentences{stream="live/cam0007"} 1`,
		`sluice_streams_without_series 20`,
		`sluice_http_sent_bytes_total{kind="media"} 124`,
		`sluice_health_sentences{severity="bad"} 2`,
	} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	if n := strings.Count(got, "\nsluice_stream_viewers{"); n != MostStreams {
		t.Errorf("%d streams have series", n)
	}
}
