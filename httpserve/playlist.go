package httpserve

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/hls"
)

// wait returns the first Window of a stream of which reached is true, or
// errNotYet when that takes too long.
func (s *Server) wait(r *http.Request, stream *packager.Stream, reached func(*packager.Window) bool) (*packager.Window, error) {
	return s.hold(r, stream, stream.Wait, reached)
}

// waitGrown is wait for those who read parts while they grow.
func (s *Server) waitGrown(r *http.Request, stream *packager.Stream, reached func(*packager.Window) bool) (*packager.Window, error) {
	return s.hold(r, stream, stream.WaitGrown, reached)
}

func (s *Server) hold(r *http.Request, stream *packager.Stream,
	wait func(context.Context, func(*packager.Window) bool) (*packager.Window, error),
	reached func(*packager.Window) bool) (*packager.Window, error) {
	hold := s.Hold
	if t := stream.Window().TargetDuration; t > 0 {
		hold = min(hold, 3*time.Duration(t)*time.Second) // RFC 8216bis, section 6.2.5.2
	}
	if w := stream.Window(); reached(w) {
		return w, nil
	}
	leave, err := s.beginWait(remote(r), stream.Window().Stream)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), hold)
	defer cancel()
	w, err := wait(ctx, reached)
	switch {
	case errors.Is(err, packager.ErrReleased):
		return nil, errNoStream
	case err != nil:
		return nil, errNotYet
	}
	return w, nil
}

// window waits until the stream that a URL names can be played.
func (s *Server) window(r *http.Request, playable func(*packager.Window) bool) (*packager.Stream, *packager.Window, error) {
	stream, err := s.stream(r)
	if err != nil {
		return nil, nil, err
	}
	w, err := s.wait(r, stream, func(w *packager.Window) bool { return playable(w) || w.State == packager.Ended })
	switch {
	case err != nil:
		return nil, nil, err
	case !playable(w):
		return nil, nil, errNoStream // it ended before it had begun
	}
	return stream, w, nil
}

func (s *Server) multivariant(w http.ResponseWriter, r *http.Request) error {
	_, win, err := s.window(r, (*packager.Window).Playable)
	if err != nil {
		return err
	}
	return s.text(w, r, win, "index.m3u8", hls.ContentType, browsersToo(time.Second), func() ([]byte, error) {
		return hls.Multivariant(win), nil
	})
}

func (s *Server) playlist(w http.ResponseWriter, r *http.Request) error {
	d, err := parseDirective(r.URL.RawQuery)
	if err != nil {
		return err
	}
	id := packager.RenditionID(chi.URLParam(r, "rendition"))
	stream, win, err := s.window(r, func(w *packager.Window) bool {
		return w.StillPlayableIn(id)
	})
	if err != nil {
		return err
	}
	rendition, ok := win.Rendition(id)
	if !ok || len(rendition.Segments) == 0 {
		return errNoMedia
	}
	keep := browsersToo(hls.Age(win))
	if d.blocks && win.State != packager.Ended {
		if !d.legal(rendition) {
			return errDirective
		}
		win, err = s.wait(r, stream, func(w *packager.Window) bool {
			rendition, ok = w.Rendition(id)
			return !ok || w.State == packager.Ended || d.reached(w, rendition)
		})
		if lost := stream.Window(); errors.Is(err, errNotYet) && lost.State == packager.Waiting {
			// Players give up after a few refusals, and the encoder may be back by then.
			win, err = lost, nil
			rendition, ok = win.Rendition(id)
		}
		if err != nil {
			return err
		}
		if !ok || len(rendition.Segments) == 0 {
			return errNoMedia
		}
		if win.State != packager.Waiting {
			keep = cachesOnly(hls.BlockedAge)
		}
	}
	key, scope := string(id), hls.Full
	if d.skip && hls.Skippable(win, rendition) > 0 {
		key, scope = key+"?skip", hls.Delta
	}
	return s.text(w, r, win, key, hls.ContentType, keep, func() ([]byte, error) {
		return hls.Media(win, rendition, scope), nil
	})
}

func (s *Server) manifest(w http.ResponseWriter, r *http.Request) error {
	_, win, err := s.window(r, (*packager.Window).StillPlayable)
	if err != nil {
		return err
	}
	return s.text(w, r, win, "index.mpd", dash.ContentType, browsersToo(dash.Age), func() ([]byte, error) {
		return dash.MPD(win)
	})
}

// text sends a drawing of a Window.
func (s *Server) text(w http.ResponseWriter, r *http.Request, win *packager.Window, key, contentType string, keep storage, draw func() ([]byte, error)) error {
	text, err := win.Text(key, draw)
	if err != nil {
		return err
	}
	if win.State == packager.Ended {
		// Not for long: the next publication has the same playlist URLs.
		keep = browsersToo(time.Second)
	}
	s.bound(w, 0)
	h := w.Header()
	keep.allow(h)
	h["Vary"] = byEncoding
	for _, tag := range [][]string{text.ETag[:], text.GzipETag[:]} { // either is the text that we have
		if has(r.Header, tag[0]) {
			h["Etag"] = tag
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	if wantsGzip(r.Header) {
		h["Etag"], h["Content-Encoding"] = text.GzipETag[:], gzipped
		return s.whole(w, contentType, text.Gzip)
	}
	h["Etag"] = text.ETag[:]
	return s.whole(w, contentType, text.Bytes)
}

// time tells players what time it is here: DASH's http-iso scheme.
func (s *Server) time(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	return s.whole(w, "text/plain; charset=utf-8", []byte(s.Now().UTC().Format("2006-01-02T15:04:05.000Z")))
}
