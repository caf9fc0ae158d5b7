package metrics

import "github.com/prometheus/client_golang/prometheus"

// Direction is which way a relay goes.
type Direction string

// The directions.
const (
	Pull Direction = "pull"
	Push Direction = "push"
)

func newRelayed() *prometheus.CounterVec {
	return ofDirections("sluice_relayed_bytes_total", "Bytes of streams that came from other servers (pull), or went to them (push).")
}

func newBroken() *prometheus.CounterVec {
	return ofDirections("sluice_relay_failures_total", "Relays that could not connect, or were broken off.")
}

func ofDirections(name, help string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"direction"})
	for _, d := range []Direction{Pull, Push} {
		v.WithLabelValues(string(d)) // a rate needs its zero
	}
	return v
}

// Relayed counts bytes that came from another server, or went to one: now and then.
func (s *Set) Relayed(d Direction, bytes int) {
	if s != nil && bytes > 0 {
		s.relayed.WithLabelValues(string(d)).Add(float64(bytes))
	}
}

// RelayFailed counts a relay that could not connect, or was broken off.
func (s *Set) RelayFailed(d Direction) {
	if s != nil {
		s.broken.WithLabelValues(string(d)).Inc()
	}
}

// Relays is how many relays there are of one direction, in one state.
type Relays struct {
	Direction Direction
	State     string
	Count     int
}

// EachRelay lets list tell, each time that somebody looks, how many relays there are. It
// is to be called once.
func (s *Set) EachRelay(list func() []Relays) {
	if s != nil {
		s.registry.MustRegister(&relays{list})
	}
}

type relays struct{ list func() []Relays }

var relaysDesc = prometheus.NewDesc("sluice_relays", "Streams that come from other servers, or go to them, by state.", []string{"direction", "state"}, nil)

func (r *relays) Describe(c chan<- *prometheus.Desc) { c <- relaysDesc }

func (r *relays) Collect(c chan<- prometheus.Metric) {
	for _, one := range r.list() {
		c <- prometheus.MustNewConstMetric(relaysDesc, prometheus.GaugeValue, float64(one.Count), string(one.Direction), one.State)
	}
}
