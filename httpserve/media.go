package httpserve

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// media sends a header, a segment or a part.
func (s *Server) media(w http.ResponseWriter, r *http.Request) error {
	stream, err := s.stream(r)
	if err != nil {
		return err
	}
	name, ok := packager.ParseMediaName(chi.URLParam(r, "file"))
	if !ok {
		return errNoMedia
	}
	id := packager.RenditionID(chi.URLParam(r, "rendition"))
	win := stream.Window()
	rendition, ok := win.Rendition(id)
	if !ok {
		return errNoMedia
	}
	switch name.Kind {
	case packager.HeaderFile:
		if h, ok := rendition.FindHeader(name.Period); ok {
			return s.closed(w, r, stream, win.Longest(), h, name, h.Body())
		}
	case packager.PartFile:
		return s.part(w, r, stream, id, name)
	case packager.SegmentFile:
		if seg, ok := rendition.Segment(name.Period, name.Number); ok && seg.Gap() {
			return errNoMedia
		} else if ok {
			return s.closed(w, r, stream, win.Stays(rendition, seg), seg.Header, name, seg.Body())
		}
		if soon(win, rendition, name) {
			return s.growing(w, r, stream, id, name)
		}
	}
	return errNoMedia
}

// part sends a part that is there, and waits for the one that playlists hint
// at. Any other will not be.
func (s *Server) part(w http.ResponseWriter, r *http.Request, stream *packager.Stream, id packager.RenditionID, name packager.MediaName) error {
	var header *packager.Header
	var part *packager.Part
	look := func(win *packager.Window) (found, hinted bool) {
		rendition, ok := win.Rendition(id)
		if !ok {
			return false, false
		}
		header, part, found = rendition.Part(name.Period, name.Number)
		current := rendition.Header != nil && rendition.Header.Period.ID == name.Period
		return found, current && win.State == packager.Live && name.Number == rendition.NextPart
	}
	win, err := s.wait(r, stream, func(win *packager.Window) bool {
		found, hinted := look(win)
		return found || !hinted
	})
	switch {
	case err != nil:
		return err
	case part == nil || part.Gap:
		return errNoMedia
	}
	rendition, _ := win.Rendition(id)
	return s.closed(w, r, stream, win.Stays(rendition, nil), header, name, part.Body())
}

// closed sends bytes that will never change, and that stay in memory for so long
// whoever reads them.
func (s *Server) closed(w http.ResponseWriter, r *http.Request, stream *packager.Stream, stays time.Duration,
	header *packager.Header, name packager.MediaName, body packager.Body) error {
	s.bound(w, stays)
	size := body.Size()
	loan := stream.Lend(body, 0)
	defer loan.Return()
	h := w.Header()
	immutable(h)
	h.Set("Content-Type", contentType(header.Track.Kind()))
	h.Set("ETag", `"`+name.String()+`"`) // a name has the same bytes for ever
	if r.Header.Get("Range") != "" || r.Header.Get("If-None-Match") != "" {
		http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(body, 0, size))
		return nil
	}
	// The common case, without a copy: a Write for each part.
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	if _, err := loan.WriteTo(w); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// soon tells whether a segment is in production, or is foreseen to be next.
func soon(w *packager.Window, r *packager.Rendition, name packager.MediaName) bool {
	return w.State == packager.Live && r.Header != nil && r.Header.Period.ID == name.Period && r.OpenStart != 0 &&
		(name.Number == r.OpenStart || r.ExpectedDuration > 0 && name.Number == r.OpenStart+r.ExpectedDuration)
}

// growing sends a segment while it is produced: one HTTP chunk, or one DATA
// frame, for each part, or for each frame where the packager makes such. An
// answer that can't be finished is broken off, so that no cache takes it for
// whole.
func (s *Server) growing(w http.ResponseWriter, r *http.Request, stream *packager.Stream, id packager.RenditionID, name packager.MediaName) error {
	sent := int64(0)
	for {
		var now growth
		_, err := s.waitGrown(r, stream, func(win *packager.Window) bool {
			now = grown(win, id, name)
			return now.state != produced || now.body.Size() > sent
		})
		switch {
		case sent == 0 && err != nil:
			return err
		case sent == 0 && now.state == gone:
			return errNoMedia
		case err != nil, now.state == gone:
			panic(http.ErrAbortHandler)
		}
		if sent == 0 {
			h := w.Header()
			immutable(h)
			h.Set("Content-Type", contentType(now.header.Track.Kind()))
			if r.Method == http.MethodHead {
				return nil
			}
		}
		size := now.body.Size()
		if err := s.send(w, stream, now, sent); err != nil {
			return err
		}
		sent = size
		if now.state == complete {
			return nil
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return fmt.Errorf("flush: %w", err)
		}
		s.bound(w, s.Hold)
		s.limitWrite(w, s.Hold) // HTTP/2 breaks off at the deadline, written or not
	}
}

// send writes what there is of a segment behind what was sent of it.
func (s *Server) send(w http.ResponseWriter, stream *packager.Stream, now growth, sent int64) error {
	s.bound(w, now.stays)
	loan := stream.Lend(now.body, sent)
	defer loan.Return()
	if _, err := loan.WriteTo(w); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// growth is what there is of a segment.
type growth struct {
	header *packager.Header
	body   packager.Body
	state  growthState
	stays  time.Duration // in memory, whoever reads it
}

type growthState uint8

const (
	produced growthState = iota // more will come
	complete
	gone // there will be none
)

func grown(win *packager.Window, id packager.RenditionID, name packager.MediaName) growth {
	r, ok := win.Rendition(id)
	if !ok {
		return growth{state: gone}
	}
	if seg, ok := r.Segment(name.Period, name.Number); ok && !seg.Gap() {
		return growth{seg.Header, seg.Body(), complete, win.Stays(r, seg)}
	} else if ok {
		return growth{state: gone}
	}
	if !soon(win, r, name) {
		return growth{state: gone}
	}
	g := growth{header: r.Header, body: packager.Memory{}, stays: win.Stays(r, nil)}
	if name.Number == r.OpenStart {
		g.body = r.OpenBody()
	}
	return g
}

func contentType(k remux.Kind) string {
	if k == remux.Video {
		return "video/mp4"
	}
	return "audio/mp4"
}
