package metrics

import "github.com/prometheus/client_golang/prometheus"

// hooks counts what becomes of telling web services what happens.
type hooks struct {
	attempts *prometheus.CounterVec
	dropped  prometheus.Counter
}

func newHooks(r *prometheus.Registry) hooks {
	h := hooks{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_hook_attempts_total", Help: "Attempts to tell a webhook of an event, by result.",
		}, []string{"result"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_hook_dropped_total", Help: "Events that a webhook is never told of: too many waited, one for too long, or it won't take them.",
		}),
	}
	h.attempts.WithLabelValues("delivered") // a rate needs its zero
	h.attempts.WithLabelValues("failed")
	r.MustRegister(h.attempts, h.dropped)
	return h
}

// HookAttempt counts an attempt to tell a webhook of an event.
func (s *Set) HookAttempt(delivered bool) {
	if s == nil {
		return
	}
	result := "failed"
	if delivered {
		result = "delivered"
	}
	s.hooks.attempts.WithLabelValues(result).Inc()
}

// HookDropped counts events that a webhook is never told of.
func (s *Set) HookDropped(n int) {
	if s != nil {
		s.hooks.dropped.Add(float64(n))
	}
}

// HooksWaiting lets count tell, each time that somebody looks, how many events wait for
// webhooks. It is to be called once.
func (s *Set) HooksWaiting(count func() int) {
	if s != nil {
		s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_hook_waiting_events", Help: "Events that wait to be told to webhooks.",
		}, func() float64 { return float64(count()) }))
	}
}
