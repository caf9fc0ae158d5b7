package packager

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// Window is a snapshot of a stream: everything that can be listed or fetched
// at one moment. It never changes; a newer one takes its place.
type Window struct {
	Stream     StreamName
	Renditions []Rendition // video first; must not be modified
	Ended      bool        // nothing will follow

	// TargetDuration in seconds bounds the rounded duration of all segments of
	// the publication. It is 0 until the first segment is closed, and never
	// changes from then on.
	TargetDuration int

	// Changed is when the list of segments changed last, by the wall clock.
	Changed time.Time

	// Extent is the longest that this publication's playlists have been.
	Extent time.Duration

	pair       [2]Rendition                  // what Renditions points to, when two are enough
	superseded atomic.Pointer[chan struct{}] // made by the first who waits
	texts      sync.Map                      // key → *text
}

// Rendition is one track of a Window.
type Rendition struct {
	ID       RenditionID
	Header   *Header    // of the newest period; nil before its first part
	Segments []*Segment // closed and listed, oldest first
	Retired  []*Segment // no longer listed, but still to be had
	Open     MSN        // number of the segment in production
	Parts    []Part     // of it that are closed

	FrameRate     remux.Rational // measured; zero for audio and at first
	Peak, Average int            // bit/s of the closed segments of the publication
}

// Rendition returns the rendition of that id.
func (w *Window) Rendition(id RenditionID) (*Rendition, bool) {
	for i := range w.Renditions {
		if w.Renditions[i].ID == id {
			return &w.Renditions[i], true
		}
	}
	return nil, false
}

// Playable tells whether there is enough to begin with: a segment of every
// rendition, or several of the first where another stays away.
func (w *Window) Playable() bool {
	const alone = 3
	if len(w.Renditions) == 0 || len(w.Renditions[0].Segments) == 0 {
		return false
	}
	for i := range w.Renditions {
		if len(w.Renditions[i].Segments) == 0 && len(w.Renditions[0].Segments) < alone {
			return false
		}
	}
	return true
}

// Segment finds a segment that is listed or was until lately.
func (r *Rendition) Segment(period string, n MSN) (*Segment, bool) {
	for _, list := range [][]*Segment{r.Segments, r.Retired} {
		// Numbers are not always without gaps: publications leave them.
		for i := len(list) - 1; i >= 0 && list[i].MSN >= n; i-- {
			if list[i].MSN == n && list[i].Header.Period.ID == period {
				return list[i], true
			}
		}
	}
	return nil, false
}

// FindHeader finds the header of a period that something fetchable needs.
func (r *Rendition) FindHeader(period string) (*Header, bool) {
	if r.Header != nil && r.Header.Period.ID == period {
		return r.Header, true
	}
	for _, list := range [][]*Segment{r.Segments, r.Retired} {
		for _, s := range list {
			if s.Header.Period.ID == period {
				return s.Header, true
			}
		}
	}
	return nil, false
}

// text is one drawing of a Window.
type text struct {
	once  sync.Once
	bytes []byte
	err   error
}

// Text returns the drawing of that key, made by draw the first time somebody
// asks. It dies with the Window, so it is never out of date.
func (w *Window) Text(key string, draw func() ([]byte, error)) ([]byte, error) {
	v, ok := w.texts.Load(key)
	if !ok {
		v, _ = w.texts.LoadOrStore(key, new(text))
	}
	t := v.(*text)
	t.once.Do(func() { t.bytes, t.err = draw() })
	return t.bytes, t.err
}

// closed stands for the channel of a Window that was superseded before anyone
// waited on it.
var closed = func() *chan struct{} {
	c := make(chan struct{})
	close(c)
	return &c
}()

// Superseded is closed when a newer Window exists.
func (w *Window) Superseded() <-chan struct{} {
	if c := w.superseded.Load(); c != nil {
		return *c
	}
	c := make(chan struct{})
	if w.superseded.CompareAndSwap(nil, &c) {
		return c
	}
	return *w.superseded.Load()
}

func (w *Window) supersede() {
	if c := w.superseded.Swap(closed); c != nil {
		close(*c)
	}
}
