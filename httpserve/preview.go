package httpserve

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// Preview has the lists and the media of streams for operators: nobody is asked for a
// pass, and no page of another origin can read them. It is to stand behind the token of
// operators, on a Server of its own: who looks there is no viewer.
func (s *Server) Preview() http.Handler {
	r := chi.NewRouter()
	r.Use(s.bounds, sameOrigin)
	r.NotFound(s.count("unknown", s.handle(func(http.ResponseWriter, *http.Request) error { return errNoPage })))
	r.MethodNotAllowed(s.count("unknown", s.handle(func(http.ResponseWriter, *http.Request) error { return errMethod })))
	for pattern, h := range map[string]handlerFunc{
		"/{app}/{name}/index.m3u8":         s.multivariant,
		"/{app}/{name}/{rendition}.m3u8":   s.playlist,
		"/{app}/{name}/{rendition}/{file}": s.media,
	} {
		counted := s.count("preview", s.handle(h))
		r.Get(pattern, counted)
		r.Head(pattern, counted)
	}
	return r
}

// sameOrigin lets no page of another origin embed an answer. What it is for is nobody
// else's: no cache keeps it.
func sameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", private)
		next.ServeHTTP(w, r)
	})
}
