package packager

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// Window is a snapshot of a stream: everything that can be listed or fetched
// at one moment. It never changes; a newer one takes its place.
type Window struct {
	Stream     StreamName
	Renditions []Rendition    // video first; must not be modified
	Former     []Rendition    // the stream no longer has; what they left can still be had
	State      State          // where the stream is in its life
	Captions   remux.Captions // in the pictures
	LeftOut    []string       // what viewers don't get, and what to set in the encoder; must not be modified

	// Acts are those of the periods that are listed, in their order; there are none where a
	// stream has one picture. They must not be modified.
	Acts []Act
	// TargetDuration in seconds bounds the rounded duration of all segments of
	// the publication. It is 0 until the first segment is closed, and never
	// changes from then on.
	TargetDuration int

	// PartTarget is the most that a part lasts, in whole milliseconds. It never
	// changes either.
	PartTarget time.Duration

	// Grain is how much media comes at a time to who reads the segment in
	// production: a part, or a frame.
	Grain time.Duration

	// Late is how long ago the first frame of the newest part was due when that part was
	// complete, in the rendition with the keyframes: what waiting for a part adds to
	// latency. It is 0 before there is one.
	Late time.Duration

	// Changed is when the list of segments changed last, by the wall clock.
	Changed time.Time

	// Extent is the longest that this publication's playlists have been.
	Extent time.Duration

	numbers int // of the renditions so far: see Rendition.Number

	begun bool // it was playable once: viewers may have the URLs of what is in it

	*shared
	grown signal
	own   shared       // what shared points to, unless this Window only grew out of another
	pair  [2]Rendition // what Renditions points to, when two are enough
}

// shared is what a Window has in common with those that only grew out of it.
type shared struct {
	superseded signal
	texts      sync.Map // key → *text
}

// newWindow returns a Window of its own.
func newWindow(stream StreamName) *Window {
	w := &Window{Stream: stream}
	w.shared = &w.own
	return w
}

// Rendition is one track of a Window.
type Rendition struct {
	ID              RenditionID
	Number          int        // of the renditions of the stream, in the order in which they came, from 1 on
	Header          *Header    // of the newest period; nil before its first part
	Segments        []*Segment // closed and listed, oldest first
	Retired         []*Segment // no longer listed, but still to be had
	Open            MSN        // number of the segment in production
	Parts           []Part     // of it that are closed
	OpenStart       int64      // where it starts, ticks: what its name will say; 0 where there is none
	OpenPTS         int64      // its earliest presentation time so far, ticks
	OpenIndependent bool       // it begins with a sample where decoding can start
	OpenLeading     bool       // see Segment.Leading

	// ExpectedDuration is how long the segment in production should get, in ticks from
	// OpenStart on, 0 when that can't be known. NextDuration is the same of the one
	// behind it.
	ExpectedDuration, NextDuration int64

	NextPart  int64 // number of the part in production
	Away      bool  // the track's samples stay away, and its time is filled
	AwaySince int64 // from where on, ns since 1970
	OpenGap   bool  // the segment in production has gaps
	Draft     int   // bytes that the part in production takes beside Growing, when the Window was made

	// Growing is what can be sent already of the part in production: whole fragments,
	// and the beginning of the bytes that the part will have. nil where a part comes
	// as a whole. It must not be modified.
	Growing []byte

	FrameRate     remux.Rational // measured; zero for audio and at first
	Peak, Average int            // bit/s of the closed segments of the publication; see Bandwidth
	Measured      float64        // s of them
}

// Rendition returns the rendition of that id, also a former one.
func (w *Window) Rendition(id RenditionID) (*Rendition, bool) {
	for r := range w.all {
		if r.ID == id {
			return r, true
		}
	}
	return nil, false
}

func (w *Window) all(yield func(*Rendition) bool) {
	for _, list := range [][]Rendition{w.Renditions, w.Former} {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
}

// End is where the line of a stream ends so far, the zero Time while nothing has
// been closed: what follows is no earlier.
func (w *Window) End() (end time.Time) {
	for r := range w.all {
		for _, list := range [][]*Segment{r.Segments, r.Retired} {
			if n := len(list); n > 0 {
				if at := time.Unix(0, list[n-1].end()); at.After(end) {
					end = at
				}
			}
		}
	}
	return end
}

// Longest is the most that a segment of the publication can last.
func (w *Window) Longest() time.Duration { return longestOf(w.TargetDuration) }

// NearLive is how far behind the clock a player can stay to whom so much media
// comes at a time: three times that, and a little for the way. Where it is less,
// less is added: those players want to be nearer.
func NearLive(grain time.Duration) time.Duration {
	return (3*grain + min(grain/2, 200*time.Millisecond)).Round(time.Millisecond)
}

// Playable tells whether there is enough for viewers to begin with: a segment of
// every rendition, and media in one of them.
func (w *Window) Playable() bool {
	media := false
	for i := range w.Renditions {
		if len(w.Renditions[i].Segments) == 0 {
			return false
		}
		media = media || w.Renditions[i].Media()
	}
	return media
}

// StillPlayable tells whether there is enough for viewers who may have begun
// already: a rendition that is new in a stream must not keep the others from them.
func (w *Window) StillPlayable() bool {
	listed := slices.ContainsFunc(w.Renditions, func(r Rendition) bool { return len(r.Segments) > 0 })
	return w.begun && listed || w.Playable()
}

// StillPlayableIn tells the same of one rendition: it has something in its list, or
// will get no more. The answer is true, too, where the stream has none of that id.
func (w *Window) StillPlayableIn(id RenditionID) bool {
	i := slices.IndexFunc(w.Renditions, func(r Rendition) bool { return r.ID == id })
	return w.begun && (i < 0 || len(w.Renditions[i].Segments) > 0) || w.Playable()
}

// Media tells whether there is any media in what is listed. A rendition without
// is of no use to those who begin.
func (r *Rendition) Media() bool {
	for _, s := range r.Segments {
		if !s.Gap() {
			return true
		}
	}
	return false
}

// Bytes is what a Window holds in memory: all that can be fetched.
func (w *Window) Bytes() (n int) {
	for r := range w.all {
		n += r.Bytes()
	}
	return n
}

// Bytes is what a rendition holds in memory.
func (r *Rendition) Bytes() (n int) {
	for _, list := range [][]*Segment{r.Segments, r.Retired} {
		for _, s := range list {
			n += s.Size
		}
	}
	for _, p := range r.Parts {
		n += len(p.Bytes)
	}
	return n + len(r.Growing) + r.Draft
}

// Newest is the header of what came last: of the segments that are listed, where
// the period has no part yet. It is nil where there are none.
func (r *Rendition) Newest() *Header {
	if n := len(r.Segments); r.Header == nil && n > 0 {
		return r.Segments[n-1].Header
	}
	return r.Header
}

// Segment finds a segment that is listed or was until lately.
func (r *Rendition) Segment(period string, start int64) (*Segment, bool) {
	for _, list := range [][]*Segment{r.Segments, r.Retired} {
		for _, s := range slices.Backward(list) {
			if s.Start == start && s.Header.Period.ID == period {
				return s, true
			}
		}
	}
	return nil, false
}

// Part finds a part of the segment in production or of a fetchable one.
func (r *Rendition) Part(period string, number int64) (*Header, *Part, bool) {
	if r.Header != nil && r.Header.Period.ID == period {
		if p, ok := findPart(r.Parts, number); ok {
			return r.Header, p, true
		}
	}
	for _, list := range [][]*Segment{r.Segments, r.Retired} {
		for i := len(list) - 1; i >= 0; i-- {
			if s := list[i]; s.Header.Period.ID == period {
				if p, ok := findPart(s.Parts, number); ok {
					return s.Header, p, true
				}
			}
		}
	}
	return nil, nil, false
}

// findPart relies on the numbers of a segment's parts having no gaps.
func findPart(parts []Part, number int64) (*Part, bool) {
	if len(parts) == 0 || number < parts[0].Number || number > parts[len(parts)-1].Number {
		return nil, false
	}
	return &parts[number-parts[0].Number], true
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

// Text is one drawing of a Window, complete and immutable.
type Text struct {
	Bytes []byte
	Gzip  []byte // the same, compressed

	// The strong tag of each, as the value of a header: made of the hash of Bytes.
	ETag, GzipETag [1]string
}

// text makes a Text for the first who asks.
type text struct {
	once sync.Once
	Text
	err error
}

// Text returns the drawing of that key, made by draw the first time somebody
// asks. It dies with the Window, so it is never out of date.
func (w *Window) Text(key string, draw func() ([]byte, error)) (*Text, error) {
	v, ok := w.texts.Load(key)
	if !ok {
		v, _ = w.texts.LoadOrStore(key, new(text))
	}
	t := v.(*text)
	t.once.Do(func() {
		if t.Bytes, t.err = draw(); t.err == nil {
			sum := sha256.Sum256(t.Bytes)
			tag := hex.EncodeToString(sum[:12])
			t.ETag, t.GzipETag = [1]string{`"` + tag + `"`}, [1]string{`"` + tag + `-gzip"`}
			t.Gzip = compress(t.Bytes)
		}
	})
	return &t.Text, t.err
}

// compressors are as large as hundreds of playlists: new ones for each would be
// most of what the server allocates.
var compressors = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func compress(b []byte) []byte {
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	var out bytes.Buffer
	z.Reset(&out)
	// Writing to memory doesn't fail.
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

// Superseded is closed when a newer Window has more parts or segments, or an
// end.
func (w *Window) Superseded() <-chan struct{} { return w.superseded.wait() }

// Grown is closed when there is any newer Window.
func (w *Window) Grown() <-chan struct{} { return w.grown.wait() }

// signal happens once. Nobody pays for it who doesn't wait for it.
type signal struct {
	c atomic.Pointer[chan struct{}] // made by the first who waits
}

// fired stands for the channel of a signal that had nobody waiting.
var fired = func() *chan struct{} {
	c := make(chan struct{})
	close(c)
	return &c
}()

func (s *signal) wait() <-chan struct{} {
	if c := s.c.Load(); c != nil {
		return *c
	}
	c := make(chan struct{})
	if s.c.CompareAndSwap(nil, &c) {
		return c
	}
	return *s.c.Load()
}

func (s *signal) fire() {
	if c := s.c.Swap(fired); c != nil && c != fired {
		close(*c)
	}
}
