// Package admin answers operators and their machines: whether the server lives,
// what it counts, which streams there are and how they are, and profiles.
package admin

import (
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// Server answers on an address that viewers can't reach. What strangers can do to
// it, others must bound (httpserve's Front).
type Server struct {
	House        House
	Crew         Crew          // nil: nobody asks who publishes
	Token        string        // that operators show; empty: none is asked for
	WriteTimeout time.Duration // behind the time that a profile takes
	Metrics      *metrics.Set
	Now          func() time.Time // the wall clock
}

// House is what is asked of the program.
type House interface {
	Ready() bool // false while it stops
	Streams() []*packager.Stream
}

// route is something that can be asked for.
type route struct {
	method, pattern string // method: empty is any
	answer          http.HandlerFunc
}

// open is what may be asked by whatever looks whether the server lives: it need
// not know more.
func (s *Server) open() []route {
	return []route{
		{"GET", "/healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) }},
		{"GET", "/readyz", s.readyz},
	}
}

// guarded is for operators alone.
func (s *Server) guarded() []route {
	return []route{
		{"GET", "/metrics", s.Metrics.Handler().ServeHTTP},
		{"GET", "/api/v1/streams", s.streams},
		{"POST", "/api/v1/streams/{app}/{name}/switch", s.switchOver},
		{"", "/debug/pprof/*", s.profile(pprof.Index)},
		{"", "/debug/pprof/profile", s.profile(pprof.Profile)},
		{"", "/debug/pprof/symbol", pprof.Symbol},
		{"", "/debug/pprof/trace", s.profile(pprof.Trace)},
	}
}

// Handler has all that can be asked for. attend stands behind the token, around
// what only operators have; nil: nothing does.
func (s *Server) Handler(attend func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	add(r, s.open())
	r.Group(func(r chi.Router) {
		r.Use(s.operatorsOnly)
		if attend != nil {
			r.Use(attend)
		}
		add(r, s.guarded())
	})
	return r
}

func add(r chi.Router, routes []route) {
	for _, route := range routes {
		if route.method == "" {
			r.HandleFunc(route.pattern, route.answer)
		} else {
			r.MethodFunc(route.method, route.pattern, route.answer)
		}
	}
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if !s.House.Ready() {
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return
	}
	w.Write([]byte("ok\n"))
}
