package httpserve

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// The ways in which a request is answered with something else than what it
// asks for. One function turns them into a status.
var (
	errNoPage    = errors.New("nothing here: a stream's page is at /APP/NAME/, its lists are /APP/NAME/index.m3u8 and /APP/NAME/index.mpd")
	errNoStream  = errors.New("no such stream: it is not live, or its name is another")
	errNoMedia   = errors.New("no such file: it is gone, or has not been")
	errNotYet    = errors.New("not yet: the stream has nothing to show so far")
	errDirective = errors.New("_HLS_msn, _HLS_part: not a number, or too far ahead of the playlist")
	errMethod    = errors.New("only GET, HEAD and OPTIONS")
	errNoPass    = errors.New("this stream needs a pass, and there is none in this address: enter by its page, index.m3u8 or index.mpd, with ?token=…")
)

func status(err error) int {
	var refusal interface{ HTTPStatus() int }
	switch {
	case errors.As(err, &refusal):
		return refusal.HTTPStatus()
	case errors.Is(err, errNoPass):
		return http.StatusUnauthorized
	case errors.Is(err, errNoPage), errors.Is(err, errNoStream), errors.Is(err, errNoMedia):
		return http.StatusNotFound
	case errors.Is(err, errDirective), errors.Is(err, errForwarded):
		return http.StatusBadRequest
	case errors.Is(err, errNotYet), errors.Is(err, errCrowded):
		return http.StatusServiceUnavailable
	case errors.Is(err, errBody):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errQuery):
		return http.StatusRequestURITooLong
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed
	}
	return http.StatusInternalServerError
}

type handlerFunc func(http.ResponseWriter, *http.Request) error

// handle answers with h, or with the error that it returns.
func (s *Server) handle(h handlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if s.Elsewhere != nil && !begun(w) && (errors.Is(err, errNoStream) || errors.Is(err, errNoMedia)) {
			if s.Elsewhere(w, r) {
				return
			}
			err = h(w, r) // it may have come here meanwhile
		}
		if err == nil || r.Context().Err() != nil {
			return
		}
		if begun(w) {
			panic(http.ErrAbortHandler) // or what was sent would pass for whole
		}
		code := status(err)
		if code == http.StatusInternalServerError {
			s.Log.Error().Err(err).Str("path", loggable(r.URL.Path)).Msg("request failed")
			err = errors.New("the server could not make this answer")
		}
		head := w.Header()
		// An answer that is wrong a second from now must not be stored.
		head.Set("Cache-Control", "no-store")
		explain(head, code)
		http.Error(w, err.Error(), code)
	}
}

// begun tells whether something of an answer is sent.
func begun(w http.ResponseWriter) bool {
	sw, ok := w.(*statusWriter)
	return ok && sw.begun
}

// explain adds the header that belongs to a status.
func explain(head http.Header, code int) {
	switch code {
	case http.StatusServiceUnavailable:
		head.Set("Retry-After", "1")
	case http.StatusUnauthorized:
		head.Set("WWW-Authenticate", "Bearer")
	case http.StatusMethodNotAllowed:
		head.Set("Allow", "GET, HEAD, OPTIONS")
	}
}

// count tells the metrics how a request of that kind was answered.
func (s *Server) count(kind string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: w, server: s, status: http.StatusOK, unstored: alias(r)}
		defer func() {
			s.Metrics.Answered(kind, seen.status)
			s.Metrics.Sent(kind, seen.sent)
		}()
		next(seen, r)
	}
}

// statusWriter remembers the status of an answer, and gives each piece of its
// body a deadline of its own, and all of it one: a slow viewer may be slow, one
// who takes nothing, or nearly nothing, is dropped.
type statusWriter struct {
	http.ResponseWriter
	server   *Server
	status   int
	sent     int64     // bytes of the body
	until    time.Time // when it must have been read; zero: whenever
	begun    bool      // the header is sent
	unstored bool      // by any cache that is not the viewer's own
}

// piece is what a viewer must take within the timeout.
const piece = 256 << 10

func (w *statusWriter) Write(b []byte) (n int, err error) {
	w.begin()
	for {
		part := b[n:min(len(b), n+piece)]
		deadline := w.limit(0)
		if !time.Now().Before(deadline) {
			w.server.Metrics.Refused(metrics.SlowViewer)
			return n, errSlow
		}
		m, err := w.ResponseWriter.Write(part)
		w.sent += int64(m)
		if err != nil && !time.Now().Before(deadline) {
			w.server.Metrics.Refused(metrics.SlowViewer)
		}
		if n += m; err != nil || n == len(b) {
			return n, err
		}
	}
}

// limit gives what is written next its deadline, behind a wait, and returns it.
func (w *statusWriter) limit(wait time.Duration) time.Time {
	deadline := time.Now().Add(wait + w.server.WriteTimeout)
	if !w.until.IsZero() && w.until.Before(deadline) {
		deadline = w.until
	}
	setDeadline(w.ResponseWriter, deadline)
	return deadline
}

// begin is called before the header is sent, by whoever sends it.
func (w *statusWriter) begin() {
	if h := w.Header(); !w.begun && w.unstored && !strings.HasPrefix(h.Get("Cache-Control"), private) {
		h["Cache-Control"] = []string{"no-store"}
	}
	w.begun = true
}

func (w *statusWriter) WriteHeader(status int) {
	w.begin()
	w.status = status
	w.limit(0)
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// guard keeps one request's failure, or one viewer's slowness, to itself.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p != http.ErrAbortHandler {
				s.Log.Error().Interface("panic", p).Str("path", loggable(r.URL.Path)).Bytes("stack", debug.Stack()).Msg("request failed")
			}
			panic(http.ErrAbortHandler) // or what was sent would pass for whole
		}()
		// For answers that are written by nobody but net/http.
		s.limitWrite(w, s.Hold)
		next.ServeHTTP(w, r)
	})
}

// limitWrite gives what is written next its deadline, behind a wait.
func (s *Server) limitWrite(w http.ResponseWriter, wait time.Duration) {
	setDeadline(w, time.Now().Add(wait+s.WriteTimeout))
}

// setDeadline is by the machine's clock, since sockets go by that: ours goes on
// as if nothing had happened when somebody sets it. A ResponseWriter without
// deadlines (in tests) has nobody to protect from.
func setDeadline(w http.ResponseWriter, at time.Time) {
	_ = http.NewResponseController(w).SetWriteDeadline(at)
}

var errSlow = errors.New("the viewer has not read the answer in its time")

// bound gives an answer the time that it has as a whole: as long as its bytes
// are in memory anyway, and then as long as a viewer may take nothing.
func (s *Server) bound(w http.ResponseWriter, stays time.Duration) {
	if w, ok := w.(*statusWriter); ok {
		w.until = time.Now().Add(stays + s.WriteTimeout)
	}
}

// stream finds the stream that a URL names, of which somebody asks for something.
func (s *Server) stream(r *http.Request) (*packager.Stream, error) {
	name, err := packager.ParseStreamName(chi.URLParam(r, "app"), chi.URLParam(r, "name"))
	if err != nil {
		return nil, errNoStream
	}
	fetched := s.Wanted != nil && s.Wanted(name)
	stream, ok := s.Catalog.Lookup(name)
	if !ok && fetched {
		if stream, err = s.await(r, name); err != nil {
			return nil, err
		}
	} else if !ok {
		return nil, errNoStream
	}
	s.audiences.note(name, r, remote(r), s.Now())
	return stream, nil
}

// storage is who may keep an answer, and for how long: whole seconds.
type storage struct{ browsers, caches time.Duration }

func browsersToo(d time.Duration) storage { return storage{d, d} }

// cachesOnly is for what a player asks for once, and many players at once. Some
// ask for the same URL twice (video.js, when a part completes its segment), and
// want news: their browser's own cache must not answer them. Caches in front of
// us must be allowed to keep it, or they would let players wait one after another.
func cachesOnly(d time.Duration) storage { return storage{0, d} }

func (s storage) allow(h http.Header) {
	to := whose(h, "")
	var room [64]byte
	v := strconv.AppendInt(append(append(room[:0], to...), "max-age="...), int64(s.browsers/time.Second), 10)
	if s.caches != s.browsers && to == "" {
		v = strconv.AppendInt(append(v, ", s-maxage="...), int64(s.caches/time.Second), 10)
	}
	h["Cache-Control"] = []string{string(v)}
}

// immutable marks bytes that belong to their URL for all time.
func immutable(h http.Header) {
	h.Set("Cache-Control", whose(h, "public, ")+"max-age=31536000, immutable")
}

// whole sends a complete body in one Write. net/http leaves it out for HEAD.
func (s *Server) whole(w http.ResponseWriter, contentType string, body []byte) error {
	h := w.Header()
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
