// Package admin answers operators and their machines: whether the server lives,
// what it counts, which streams there are and how they are, what happens, and
// profiles; and does what operators ask for. The dashboard is the page for that.
//
// All of it but the page and the profiles is one table (table.go). The routes, the OpenAPI
// document at /api/v1/openapi.json and docs/api.md are made from it.
package admin

import (
	"net/http"
	"net/http/pprof"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/web"
)

// Server answers on an address that viewers can't reach. What strangers can do to
// it, others must bound (httpserve's OperatorsFront): bodies are small, and there.
type Server struct {
	House        House
	Crew         Crew          // nil: nobody asks who publishes
	Token        string        // that operators show; empty: none is asked for
	WriteTimeout time.Duration // behind the time that a profile takes
	Metrics      *metrics.Set
	Feed         *Feed            // what happens; nil: nothing does
	Log          *Log             // what is logged; nil: nobody reads along
	History      *History         // what streams were like; nil: that isn't known
	Preview      http.Handler     // streams as viewers get them, below /APP/NAME/; nil: nobody shows them
	Now          func() time.Time // the wall clock

	listening atomic.Int32 // to events
}

// Handler has all that can be asked for. attend stands behind the token, around
// what only operators have; nil: nothing does.
func (s *Server) Handler(attend func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.GetHead) // whoever only looks whether it answers
	r.NotFound(func(w http.ResponseWriter, r *http.Request) { Refuse(w, r, http.StatusNotFound, "nothing here") })
	r.MethodNotAllowed(func(w http.ResponseWriter, asked *http.Request) {
		w.Header().Set("Allow", strings.Join(methods(r, asked.URL.Path), ", "))
		Refuse(w, asked, http.StatusMethodNotAllowed, "not by this method: /api/v1/openapi.json has all")
	})
	guarded := r.With(sameOrigin, s.operatorsOnly, plainQuery)
	if attend != nil {
		guarded = guarded.With(attend)
	}
	document := s.lay(r, guarded)
	guarded.Get("/", s.dashboard)
	guarded.Get(web.Prefix+"*", s.asset)
	if s.Preview != nil {
		guarded.Mount("/preview", s.Preview)
	}
	guarded.Get(documentPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Write(document)
	})
	guarded.HandleFunc("/debug/pprof/*", s.profile(pprof.Index))
	guarded.HandleFunc("/debug/pprof/profile", s.profile(pprof.Profile))
	guarded.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	guarded.HandleFunc("/debug/pprof/trace", s.profile(pprof.Trace))
	return r
}

// methods are those by which a path is answered.
func methods(routes chi.Routes, path string) (all []string) {
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if !routes.Match(chi.NewRouteContext(), m, path) {
			continue
		}
		all = append(all, m)
		if m == http.MethodGet {
			all = append(all, http.MethodHead)
		}
	}
	return all
}

// ofAPI tells whether a request is one of programs, who read problems, and not of
// people.
func ofAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) }

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if !s.House.Ready() {
		http.Error(w, "shutting down, or drained", http.StatusServiceUnavailable)
		return
	}
	w.Write([]byte("ok\n"))
}
