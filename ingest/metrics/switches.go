package metrics

import "github.com/prometheus/client_golang/prometheus"

// switchCauses are those of packager, why one encoder takes the place of another.
var switchCauses = []string{"lost", "silent", "hand", "return"}

func newSwitches() *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_backup_switches_total", Help: "Encoders that went on air in the place of another, by cause.",
	}, []string{"cause"})
	for _, cause := range switchCauses {
		c.WithLabelValues(cause) // a rate needs its zero
	}
	return c
}

// Switched counts that an encoder went on air in the place of another.
func (s *Set) Switched(cause string) {
	if s != nil {
		s.switches.WithLabelValues(cause).Inc()
	}
}
