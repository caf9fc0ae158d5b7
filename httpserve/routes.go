// Package httpserve answers a request by looking at one window.
package httpserve

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/web"
)

// Server answers viewers and caches.
type Server struct {
	Catalog      *packager.Catalog
	Hold         time.Duration // longest wait for something that is not there yet
	WriteTimeout time.Duration // for each response: a viewer who reads nothing is dropped
	Log          zerolog.Logger
	Metrics      *metrics.Set
	Now          func() time.Time               // the wall clock
	Viewers      func() Viewers                 // who decides now who may watch; nil, or returning nil: everybody may
	Watermark    bool                           // the player page shows who watches, where that is known
	Publishing   func() web.Publishing          // what the front page tells of how to publish; nil: nothing
	Wanted       func(packager.StreamName) bool // told that a viewer asks for a stream; tells whether it is fetched for that, and may yet come. nil: none is
	// Elsewhere answers a request for a stream, or a file of one, that isn't here, and tells
	// whether it has: else nothing was written. nil: there is nobody else.
	Elsewhere func(http.ResponseWriter, *http.Request) bool

	Proxies address.Networks // whose X-Forwarded-For and Forwarded are believed
	Waits   Waits

	waiters   waiters
	audiences audiences
}

// Handler has every URL that viewers know. Everything below a stream's folder
// but its two entry points is found in those by relative links.
func (s *Server) Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(s.guard, allowAnyOrigin, s.noBodies, preflights, s.bounds, spelling)
	r.NotFound(s.count("unknown", s.handle(func(http.ResponseWriter, *http.Request) error { return errNoPage })))
	r.MethodNotAllowed(s.count("unknown", s.handle(func(http.ResponseWriter, *http.Request) error { return errMethod })))

	get := func(kind, pattern string, h handlerFunc) {
		counted := s.count(kind, s.handle(h))
		r.Get(pattern, counted)
		r.Head(pattern, counted)
	}
	get("page", "/", s.landing)
	get("page", "/{app}/{name}", s.slash)
	get("time", "/time", s.time)
	get("asset", web.Prefix+"*", s.asset)
	// In front of a stream's path there may be a viewer's pass. All links are
	// relative, so it stays there by itself.
	for _, at := range []string{"", passPrefix + "{pass}"} {
		get("page", at+"/{app}/{name}/", s.worded(pagePolicy, s.entrance("", s.player)))
		get("page", at+"/{app}/{name}/embed", s.worded(s.embedPolicy, s.entrance("embed", s.embed)))
		get("multivariant", at+"/{app}/{name}/index.m3u8", s.entrance("index.m3u8", s.multivariant))
		get("manifest", at+"/{app}/{name}/index.mpd", s.entrance("index.mpd", s.manifest))
		get("playlist", at+"/{app}/{name}/{rendition}.m3u8", s.inside(s.playlist))
		get("media", at+"/{app}/{name}/{rendition}/{file}", s.inside(s.media))
	}
	get("pass", passPrefix+"{pass}/{app}/{name}/pass", s.inside(s.checked)) // for caches that ask
	get("time", passPrefix+"{pass}/time", s.time)                           // for manifests below it
	return r
}
