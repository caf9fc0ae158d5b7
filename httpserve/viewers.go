package httpserve

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// Viewers decides who may watch. An error is a refusal: what it says is shown
// to the viewer, and the status is that of its method HTTPStatus.
type Viewers interface {
	// Trusts tells whether r comes from a cache that checks viewers by itself.
	Trusts(r *http.Request) bool
	// Place refuses viewers for where they are, or whose page they look at.
	Place(r *http.Request, from netip.Addr) error
	// Pages are the hosts whose pages may show streams, besides our own
	// (example.com, *.example.com); none: all may.
	Pages() []string
	// NeedsPass tells whether that is enough.
	NeedsPass() bool
	// Enter returns a pass for a stream, for the token in r.
	Enter(r *http.Request, stream string, from netip.Addr) (pass string, err error)
	// Check returns the id of the viewer whose pass is good for the stream.
	Check(pass, stream string, from netip.Addr) (viewer string, err error)
}

// passPrefix is in front of a pass in a path.
const passPrefix = "/t/"

// entrance is an address that viewers know. Who shows a token there is sent on
// to the same file below his pass.
func (s *Server) entrance(file string, h handlerFunc) handlerFunc {
	return s.watched(h, func(w http.ResponseWriter, r *http.Request, judge Viewers, name packager.StreamName) error {
		pass, err := judge.Enter(r, name.String(), remote(r))
		if err != nil {
			s.Metrics.Refused(metrics.Watching)
			s.Log.Debug().Str("remote", r.RemoteAddr).Stringer("stream", name).Err(err).Msg("viewer refused")
			return err
		}
		s.Log.Debug().Str("remote", r.RemoteAddr).Stringer("stream", name).Msg("viewer enters")
		// Of what was asked for, only names that were parsed are in here, and
		// the host isn't: a proxy's path in front of ours stays.
		w.Header().Set("Location", "../.."+passPrefix+pass+"/"+name.String()+"/"+file)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusFound)
		return nil
	})
}

// inside is everything else of a stream: nobody begins there.
func (s *Server) inside(h handlerFunc) handlerFunc {
	return s.watched(h, func(http.ResponseWriter, *http.Request, Viewers, packager.StreamName) error { return errNoPass })
}

// watched answers with h those who may watch, and with without those who have no
// pass but need one.
func (s *Server) watched(h handlerFunc, without func(http.ResponseWriter, *http.Request, Viewers, packager.StreamName) error) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		judge := s.judge() // one for all of the request
		if judge == nil {
			if chi.URLParam(r, "pass") != "" {
				unstored(w) // a pass for nothing: it can be anything
			}
			return h(w, r)
		}
		if judge.Trusts(r) {
			return h(w, r)
		}
		name, err := packager.ParseStreamName(chi.URLParam(r, "app"), chi.URLParam(r, "name"))
		if err != nil || strings.Contains(r.URL.Path, "//") { // the router takes nothing for a pass, too
			return errNoPage
		}
		// From here on the answer is this viewer's alone.
		w.Header().Set("Cache-Control", private)
		if err := judge.Place(r, remote(r)); err != nil {
			s.Metrics.Refused(metrics.Watching)
			return err
		}
		pass := chi.URLParam(r, "pass")
		switch {
		case !judge.NeedsPass():
			return h(w, r)
		case pass == "":
			return without(w, r, judge, name)
		}
		who, err := judge.Check(pass, name.String(), remote(r))
		if err != nil {
			s.Metrics.Refused(metrics.Watching)
			return err
		}
		if who != "" {
			r = r.WithContext(context.WithValue(r.Context(), viewerKey{}, who))
		}
		return h(w, r)
	}
}

func (s *Server) judge() Viewers {
	if s.Viewers == nil {
		return nil
	}
	return s.Viewers()
}

// checked tells a cache that a pass is good.
func (s *Server) checked(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type viewerKey struct{}

// viewer is the id of the viewer who asks, or empty.
func viewer(r *http.Request) string {
	who, _ := r.Context().Value(viewerKey{}).(string)
	return who
}

// private stands in Cache-Control before an answer that is for one viewer has
// got its own: no cache may give it to another.
const private = "private"

// whose begins the Cache-Control of an answer that is for one viewer, or, as
// otherwise says, for all.
func whose(h http.Header, otherwise string) string {
	if h.Get("Cache-Control") == private {
		return private + ", "
	}
	return otherwise
}

// loggable is a path without the pass in it.
func loggable(path string) string {
	rest, ok := strings.CutPrefix(path, passPrefix)
	if _, behind, more := strings.Cut(rest, "/"); ok && more {
		return passPrefix + "…/" + behind
	}
	return path
}
