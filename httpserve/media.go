package httpserve

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// file sends a header, a segment or a part.
func (s *Server) file(w http.ResponseWriter, r *http.Request) error {
	stream, err := s.stream(r)
	if err != nil {
		return err
	}
	name, ok := packager.ParseMediaName(chi.URLParam(r, "file"))
	if !ok {
		return errNoMedia
	}
	rendition, ok := stream.Window().Rendition(packager.RenditionID(chi.URLParam(r, "rendition")))
	if !ok {
		return errNoMedia
	}
	header, parts, ok := find(rendition, name)
	if !ok {
		return errNoMedia
	}
	h := w.Header()
	immutable(h)
	h.Set("Content-Type", contentType(header.Track.Kind()))
	h.Set("ETag", `"`+name.String()+`"`) // a name has the same bytes for ever
	s.limitWrite(w)
	if r.Header.Get("Range") != "" || r.Header.Get("If-None-Match") != "" {
		http.ServeContent(w, r, "", time.Time{}, &partReader{parts: parts})
		return nil
	}
	// The common case, without a copy: a Write for each part.
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", strconv.Itoa(size(parts)))
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

func size(parts [][]byte) (n int) {
	for _, p := range parts {
		n += len(p)
	}
	return n
}

func contentType(k remux.Kind) string {
	if k == remux.Video {
		return "video/mp4"
	}
	return "audio/mp4"
}

// find returns the bytes that a name stands for.
func find(r *packager.Rendition, n packager.MediaName) (*packager.Header, [][]byte, bool) {
	if n.Header {
		h, ok := r.FindHeader(n.Period)
		if !ok {
			return nil, nil, false
		}
		return h, [][]byte{h.Bytes}, true
	}
	header, parts, closed := r.Header, r.Parts, false
	if seg, ok := r.Segment(n.Period, n.MSN); ok {
		header, parts, closed = seg.Header, seg.Parts, true
	} else if n.MSN != r.Open || header == nil || header.Period.ID != n.Period {
		return nil, nil, false
	}
	switch {
	case n.Part >= len(parts), n.Part < 0 && !closed:
		return nil, nil, false
	case n.Part >= 0:
		return header, [][]byte{parts[n.Part].Bytes}, true
	}
	all := make([][]byte, len(parts))
	for i, p := range parts {
		all[i] = p.Bytes
	}
	return header, all, true
}

// partReader reads parts one behind the other, without joining them.
type partReader struct {
	parts [][]byte
	at    int64
}

// from yields what lies behind the current position.
func (r *partReader) from(yield func([]byte) bool) {
	skip := r.at
	for _, p := range r.parts {
		if skip >= int64(len(p)) {
			skip -= int64(len(p))
			continue
		}
		if !yield(p[skip:]) {
			return
		}
		skip = 0
	}
}

func (r *partReader) Read(b []byte) (int, error) {
	n := 0
	for p := range r.from {
		n += copy(b[n:], p)
		if n == len(b) {
			break
		}
	}
	r.at += int64(n)
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *partReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += int64(size(r.parts))
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	r.at = offset
	return offset, nil
}
