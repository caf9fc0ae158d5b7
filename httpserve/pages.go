package httpserve

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/web"
)

func (s *Server) landing(w http.ResponseWriter, _ *http.Request) error {
	return s.page(w, web.Landing())
}

// player sends the page of a stream, live or not: it waits for it by itself.
func (s *Server) player(w http.ResponseWriter, r *http.Request) error {
	if _, err := packager.ParseStreamName(chi.URLParam(r, "app"), chi.URLParam(r, "name")); err != nil {
		return errNoPage
	}
	return s.page(w, web.Player())
}

func (s *Server) page(w http.ResponseWriter, body []byte) error {
	h := w.Header()
	h.Set("Content-Security-Policy", web.ContentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	return s.whole(w, "text/html; charset=utf-8", body)
}

// asset sends a file that the pages link to.
func (s *Server) asset(files http.Handler) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		s.limitWrite(w)
		files.ServeHTTP(w, r)
		return nil
	}
}
