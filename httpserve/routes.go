// Package httpserve answers a request by looking at one window.
package httpserve

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/web"
)

// Server answers viewers and caches.
type Server struct {
	Catalog      *packager.Catalog
	Hold         time.Duration // longest wait for something that is not there yet
	WriteTimeout time.Duration // for each response: a viewer who reads nothing is dropped
	Log          zerolog.Logger
	Now          func() time.Time // the wall clock
}

// Handler has every URL that viewers know. Everything below a stream's folder
// but its two entry points is found in those by relative links.
func (s *Server) Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(s.guard, allowAnyOrigin)
	r.NotFound(s.handle(func(http.ResponseWriter, *http.Request) error { return errNoPage }))
	r.MethodNotAllowed(s.handle(func(http.ResponseWriter, *http.Request) error { return errMethod }))

	get := func(pattern string, h handlerFunc) {
		r.Get(pattern, s.handle(h))
		r.Head(pattern, s.handle(h))
	}
	get("/", s.landing)
	get("/time", s.time)
	get(web.Prefix+"*", s.asset)
	get("/{app}/{name}/", s.player)
	get("/{app}/{name}/index.m3u8", s.multivariant)
	get("/{app}/{name}/index.mpd", s.manifest)
	get("/{app}/{name}/{rendition}.m3u8", s.media)
	get("/{app}/{name}/{rendition}/{file}", s.file)
	return r
}
