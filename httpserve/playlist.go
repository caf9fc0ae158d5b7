package httpserve

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/hls"
)

// window waits until the stream that a URL names can be played.
func (s *Server) window(r *http.Request) (*packager.Window, error) {
	stream, err := s.stream(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.Hold)
	defer cancel()
	w, err := stream.Wait(ctx, func(w *packager.Window) bool { return w.Playable() || w.Ended })
	switch {
	case err != nil:
		return nil, errNotYet
	case !w.Playable():
		return nil, errNoStream // it ended before it had begun
	}
	return w, nil
}

func (s *Server) multivariant(w http.ResponseWriter, r *http.Request) error {
	win, err := s.window(r)
	if err != nil {
		return err
	}
	return s.text(w, win, "index.m3u8", hls.ContentType, time.Second, func() ([]byte, error) {
		return hls.Multivariant(win), nil
	})
}

func (s *Server) media(w http.ResponseWriter, r *http.Request) error {
	win, err := s.window(r)
	if err != nil {
		return err
	}
	id := packager.RenditionID(chi.URLParam(r, "rendition"))
	rendition, ok := win.Rendition(id)
	if !ok {
		return errNoMedia
	}
	return s.text(w, win, string(id), hls.ContentType, hls.Age(win), func() ([]byte, error) {
		return hls.Media(win, rendition), nil
	})
}

func (s *Server) manifest(w http.ResponseWriter, r *http.Request) error {
	win, err := s.window(r)
	if err != nil {
		return err
	}
	return s.text(w, win, "index.mpd", dash.ContentType, dash.Age, func() ([]byte, error) {
		return dash.MPD(win)
	})
}

// text sends a drawing of a Window.
func (s *Server) text(w http.ResponseWriter, win *packager.Window, key, contentType string, age time.Duration, draw func() ([]byte, error)) error {
	body, err := win.Text(key, draw)
	if err != nil {
		return err
	}
	if win.Ended {
		// Not for long: the next publication has the same playlist URLs.
		age = time.Second
	}
	cacheFor(w.Header(), age)
	return s.whole(w, contentType, body)
}

// time tells players what time it is here: DASH's http-iso scheme.
func (s *Server) time(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	return s.whole(w, "text/plain; charset=utf-8", []byte(s.Now().UTC().Format("2006-01-02T15:04:05.000Z")))
}
