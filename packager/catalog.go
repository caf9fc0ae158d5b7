// Package packager holds the live window of each stream for anyone to look at.
//
//	Publication (one writer) ──publish──▶ Window ◀──look── Stream (any number of readers)
package packager

import (
	"errors"
	"sync"
	"time"
)

// ErrBusy means that a stream has a publisher already.
var ErrBusy = errors.New("the stream has a publisher already")

// Settings are the same for all streams.
type Settings struct {
	Segments           int           // closed segments in a playlist
	SegmentMinDuration time.Duration // a segment ends at the first keyframe from here on
	SegmentMaxDuration time.Duration // until the target duration is known, a longer GOP is cut here
	PartDuration       time.Duration // of a part, about: whole frames must fill it
	FrameChunks        bool          // a fragment for each frame inside a part
	TargetDuration     time.Duration // bounds all segments, in whole seconds; 0: as the first GOP is
	Grace              time.Duration // how long a lost encoder is waited for
	Linger             time.Duration // how long an ended stream can still be fetched
}

// Catalog has all streams by name.
type Catalog struct {
	settings Settings
	now      func() time.Time // the wall clock

	mu      sync.Mutex
	entries map[StreamName]*entry
	floor   floor
}

// floor is what the numbers of all streams that were forgotten are below: the
// clock that numbers begin from may be set back.
type floor struct {
	number, sequence int64
}

// raise lifts the floor above all numbers of a Window.
func (f *floor) raise(w *Window) {
	for r := range w.all {
		f.number = max(f.number, int64(r.Open)+1)
		for _, list := range [][]*Segment{r.Segments, r.Retired} {
			if n := len(list); n > 0 {
				f.sequence = max(f.sequence, list[n-1].Header.Period.Sequence+1)
			}
		}
	}
}

type entry struct {
	stream      *Stream
	publication *Publication // nil when ended
	state       state
	since       time.Time // of the state
}

// state is where a stream is in its life:
//
//	live ──encoder lost──▶ waiting ──Grace──▶ ended ──Linger──▶ forgotten
//	 ▲ ◀──comes back──────────┘                 │
//	 └──────────────another publication─────────┘
type state uint8

const (
	live state = iota
	waiting
	ended
)

func (e *entry) enter(s state, now time.Time) { e.state, e.since = s, now }

// NewCatalog returns an empty Catalog. now is the wall clock.
func NewCatalog(s Settings, now func() time.Time) *Catalog {
	return &Catalog{settings: s, now: now, entries: make(map[StreamName]*entry)}
}

// Publish gives the right to write a stream to one publisher at a time. One
// who comes while the stream waits for its encoder goes on with it.
func (c *Catalog) Publish(name StreamName) (*Publication, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[name]
	if !ok {
		e = &entry{stream: newStream(name), state: ended}
		c.entries[name] = e
	}
	switch e.state {
	case live:
		return nil, ErrBusy
	case ended:
		e.publication = newPublication(e.stream, c.settings, c.floor, c.now, func(lost bool) { c.release(e, lost) })
	}
	e.enter(live, c.now())
	return e.publication, nil
}

// release takes the right back.
func (c *Catalog) release(e *entry, lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if lost && c.settings.Grace > 0 {
		e.enter(waiting, c.now())
		return
	}
	c.end(e)
}

func (c *Catalog) end(e *entry) {
	e.publication.end()
	e.publication = nil
	e.enter(ended, c.now())
}

// Lookup finds a stream that is live or was until lately.
func (c *Catalog) Lookup(name StreamName) (*Stream, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[name]
	if !ok {
		return nil, false
	}
	return e.stream, true
}

// Streams returns all streams, in no order.
func (c *Catalog) Streams() []*Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*Stream, 0, len(c.entries))
	for _, e := range c.entries {
		all = append(all, e.stream)
	}
	return all
}

// Expire ends the streams whose encoder stays away, and forgets those that
// ended long enough ago. It is to be called now and then.
func (c *Catalog) Expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, e := range c.entries {
		passed := c.now().Sub(e.since)
		switch {
		case e.state == waiting && passed > c.settings.Grace:
			c.end(e)
		case e.state == ended && passed > c.settings.Linger:
			c.floor.raise(e.stream.Window())
			delete(c.entries, name)
		}
	}
}

// End ends the streams that wait for their encoders.
func (c *Catalog) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		if e.state == waiting {
			c.end(e)
		}
	}
}
