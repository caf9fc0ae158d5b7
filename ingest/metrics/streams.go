package metrics

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// MostStreams is how many streams have series of their own: those that come first by
// name. Each has four.
const MostStreams = 500

// Stream is what is told of one stream.
type Stream struct {
	Name    string // checked: it is no stranger's text
	Viewers int
	Bitrate int // bit/s of all renditions, on average over the window
	Bytes   int // in memory
	Unwell  int // sentences on what is wrong
}

// EachStream lets list tell, each time that somebody looks, of each stream. It is to be
// called once.
func (s *Set) EachStream(list func() []Stream) {
	if s != nil {
		s.registry.MustRegister(&streams{list})
	}
}

// streams shows them, as many as may have series.
type streams struct{ list func() []Stream }

// perStream are the series of a stream.
var perStream = []struct {
	desc  *prometheus.Desc
	value func(*Stream) int
}{
	{streamDesc("sluice_stream_viewers", "Viewers of a stream, about."), func(s *Stream) int { return s.Viewers }},
	{streamDesc("sluice_stream_bytes_per_second", "Bytes per second of all renditions of a stream together, on average over its window."), func(s *Stream) int { return s.Bitrate / 8 }},
	{streamDesc("sluice_stream_memory_bytes", "Bytes of a stream in memory."), func(s *Stream) int { return s.Bytes }},
	{streamDesc("sluice_stream_health_sentences", "Sentences on what is wrong with a stream: docs/health.md has all."), func(s *Stream) int { return s.Unwell }},
}

func streamDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, []string{"stream"}, nil)
}

var withoutSeries = prometheus.NewDesc("sluice_streams_without_series", "Streams that have no series of their own, as there are too many.", nil, nil)

func (s *streams) Describe(c chan<- *prometheus.Desc) {
	for _, p := range perStream {
		c <- p.desc
	}
	c <- withoutSeries
}

func (s *streams) Collect(c chan<- prometheus.Metric) {
	all := s.list()
	slices.SortFunc(all, func(a, b Stream) int { return cmp.Compare(a.Name, b.Name) })
	shown := all[:min(len(all), MostStreams)]
	for i := range shown {
		for _, p := range perStream {
			c <- prometheus.MustNewConstMetric(p.desc, prometheus.GaugeValue, float64(p.value(&shown[i])), shown[i].Name)
		}
	}
	c <- prometheus.MustNewConstMetric(withoutSeries, prometheus.GaugeValue, float64(len(all)-len(shown)))
}
