// Package metrics counts what an operator watches.
//
// Labels have a few values each, never a stranger's words: what grows with
// streams or peers belongs into the log and the API.
package metrics

import (
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Result is how an encoder's wish to publish was answered.
type Result string

// The answers to a publish.
const (
	Accepted Result = "accepted"
	Busy     Result = "busy"
	Denied   Result = "denied"
	Rejected Result = "rejected"
)

// Set is all metrics of one server. A nil Set counts nothing.
type Set struct {
	registry     *prometheus.Registry
	connections  *prometheus.GaugeVec
	publications *prometheus.CounterVec
	ingested     prometheus.Counter
	dropped      prometheus.Counter
	readers      prometheus.Gauge
	played       prometheus.Counter
	skipped      prometheus.Counter
	refused      *prometheus.CounterVec
	requests     *prometheus.CounterVec
	sent         *prometheus.CounterVec
	blocked      prometheus.Gauge
	wait         prometheus.Histogram
	part         prometheus.Histogram
	expiry       *prometheus.GaugeVec
	renewals     *prometheus.CounterVec
	switches     *prometheus.CounterVec
	hooks        hooks
	relayed      *prometheus.CounterVec
	broken       *prometheus.CounterVec
}

// New returns a Set at zero, with the process's and the Go runtime's own.
func New() *Set {
	s := &Set{
		registry: prometheus.NewRegistry(),
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_connections", Help: "Open connections by listener.",
		}, []string{"listener"}),
		publications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_publications_total", Help: "Publish commands by how they were answered.",
		}, []string{"result"}),
		ingested: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_ingest_bytes_total", Help: "Bytes received from encoders.",
		}),
		readers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_rtmp_readers", Help: "Streams that are played by RTMP.",
		}),
		played: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_rtmp_played_bytes_total", Help: "Bytes sent to readers by RTMP.",
		}),
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_rtmp_skips_total", Help: "Readers by RTMP that were so slow that they went on with a newer keyframe.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_dropped_access_units_total", Help: "Access units that could not be used.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_refused_total", Help: "Refusals by the limit or rule that bit.",
		}, []string{"what"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_http_requests_total", Help: "Answered requests of viewers by kind and class of status.",
		}, []string{"kind", "code"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_http_sent_bytes_total", Help: "Bytes of answers to viewers by kind, without headers.",
		}, []string{"kind"}),
		blocked: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_blocked_requests", Help: "Requests that wait for something that is not there yet.",
		}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_blocked_request_seconds", Help: "How long requests waited for something that was not there yet.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	s.part = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "sluice_frame_to_part_seconds", Help: "From when the last frame of a part was due, by its timestamp, until the part is there for viewers.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
	})
	s.expiry = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_certificate_expiry_timestamp_seconds", Help: "When the certificate of a listener, or of acme, expires.",
	}, []string{"listener"})
	s.renewals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_certificate_failures_total", Help: "Failures to get or renew a certificate; one an hour while that is so.",
	}, []string{"listener"})
	s.switches = newSwitches()
	s.relayed, s.broken = newRelayed(), newBroken()
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sluice_build_info", Help: "1, labelled with the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	s.registry.MustRegister(s.connections, s.publications, s.ingested, s.dropped, s.readers, s.played, s.skipped, s.refused, s.requests, s.sent, s.blocked, s.wait, s.part, s.expiry, s.renewals, s.switches, s.relayed, s.broken, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.hooks = newHooks(s.registry)
	for _, r := range []Result{Accepted, Busy, Denied, Rejected} {
		s.publications.WithLabelValues(string(r)) // a rate needs its zero
	}
	return s
}

// Handler shows the Set to Prometheus.
func (s *Set) Handler() http.Handler {
	if s == nil {
		return http.NotFoundHandler()
	}
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Streams lets count tell, each time that somebody looks, how many streams
// there are in each state. It is to be called once.
func (s *Set) Streams(count func() map[string]int) {
	if s != nil {
		s.registry.MustRegister(&reader{
			desc:  prometheus.NewDesc("sluice_streams", "Streams by state.", []string{"state"}, nil),
			count: count,
		})
	}
}

// Unwell lets count tell, each time that somebody looks, how many sentences there are
// on what is wrong with streams, by severity. It is to be called once.
func (s *Set) Unwell(count func() map[string]int) {
	if s != nil {
		s.registry.MustRegister(&reader{
			desc:  prometheus.NewDesc("sluice_health_sentences", "Sentences on what is wrong with streams, by severity: docs/health.md has all.", []string{"severity"}, nil),
			count: count,
		})
	}
}

// Pinned lets count tell, each time that somebody looks, how many bytes are in
// memory for slow viewers alone. It is to be called once.
func (s *Set) Pinned(count func() int) {
	if s != nil {
		s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_pinned_bytes", Help: "Bytes that left their window and are in memory for slow viewers alone.",
		}, func() float64 { return float64(count()) }))
	}
}

// Connected counts a connection of a listener as open.
func (s *Set) Connected(listener string) {
	if s != nil {
		s.connections.WithLabelValues(listener).Inc()
	}
}

// Disconnected counts it as closed.
func (s *Set) Disconnected(listener string) {
	if s != nil {
		s.connections.WithLabelValues(listener).Dec()
	}
}

// Published counts the answer to a publish.
func (s *Set) Published(r Result) {
	if s != nil {
		s.publications.WithLabelValues(string(r)).Inc()
	}
}

// Ingested counts bytes from an encoder: now and then, not for each message.
func (s *Set) Ingested(bytes uint64) {
	if s != nil {
		s.ingested.Add(float64(bytes))
	}
}

// Reading counts a stream as played by RTMP, or, with −1, as played no longer.
func (s *Set) Reading(n int) {
	if s != nil {
		s.readers.Add(float64(n))
	}
}

// Played counts bytes to who plays by RTMP.
func (s *Set) Played(bytes uint64) {
	if s != nil {
		s.played.Add(float64(bytes))
	}
}

// Skipped counts a reader that was so slow that he goes on with a newer keyframe.
func (s *Set) Skipped() {
	if s != nil {
		s.skipped.Inc()
	}
}

// Dropped counts an access unit that could not be used.
func (s *Set) Dropped() {
	if s != nil {
		s.dropped.Inc()
	}
}

// Refused counts somebody who was refused for a limit.
func (s *Set) Refused(what Limit) {
	if s != nil {
		s.refused.WithLabelValues(string(what)).Inc()
	}
}

// Certificate says when the certificate of a listener ends.
func (s *Set) Certificate(listener string, ends time.Time) {
	if s != nil {
		s.expiry.WithLabelValues(listener).Set(float64(ends.Unix()))
	}
}

// CertificateFailed counts a certificate that could not be had or renewed.
func (s *Set) CertificateFailed(listener string) {
	if s != nil {
		s.renewals.WithLabelValues(listener).Inc()
	}
}

// Answered counts a request of that kind by its status.
func (s *Set) Answered(kind string, status int) {
	if s == nil {
		return
	}
	class := "other"
	if status >= 100 && status < 600 {
		class = string('0'+rune(status/100)) + "xx"
	}
	s.requests.WithLabelValues(kind, class).Inc()
}

// Sent counts bytes of an answer of that kind.
func (s *Set) Sent(kind string, bytes int64) {
	if s != nil && bytes > 0 {
		s.sent.WithLabelValues(kind).Add(float64(bytes))
	}
}

// Part counts a part that was complete so long after its last frame was due.
func (s *Set) Part(late time.Duration) {
	if s != nil {
		s.part.Observe(max(0, late.Seconds()))
	}
}

// Blocked counts a request as waiting until the function that it returns is called.
func (s *Set) Blocked(now func() time.Time) (released func()) {
	if s == nil {
		return func() {}
	}
	began := now()
	s.blocked.Inc()
	return func() {
		s.blocked.Dec()
		s.wait.Observe(now().Sub(began).Seconds())
	}
}

// reader is a gauge that is not kept but looked up.
type reader struct {
	desc  *prometheus.Desc
	count func() map[string]int
}

func (r *reader) Describe(c chan<- *prometheus.Desc) { c <- r.desc }

func (r *reader) Collect(c chan<- prometheus.Metric) {
	for state, n := range r.count() {
		c <- prometheus.MustNewConstMetric(r.desc, prometheus.GaugeValue, float64(n), state)
	}
}
