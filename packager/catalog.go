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
	Linger             time.Duration // how long an ended stream can still be fetched
}

// Catalog has all streams by name.
type Catalog struct {
	settings Settings
	now      func() time.Time // the wall clock

	mu      sync.Mutex
	entries map[StreamName]*entry
}

type entry struct {
	stream *Stream
	live   bool
	ended  time.Time // when not live
}

// NewCatalog returns an empty Catalog. now is the wall clock.
func NewCatalog(s Settings, now func() time.Time) *Catalog {
	return &Catalog{settings: s, now: now, entries: make(map[StreamName]*entry)}
}

// Publish gives the right to write a stream to one publisher at a time.
func (c *Catalog) Publish(name StreamName) (*Publication, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[name]
	if !ok {
		e = &entry{stream: newStream(name)}
		c.entries[name] = e
	}
	if e.live {
		return nil, ErrBusy
	}
	e.live = true
	return newPublication(e.stream, c.settings, c.now, func() { c.end(e) }), nil
}

func (c *Catalog) end(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.live, e.ended = false, c.now()
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

// Expire forgets the streams that ended long enough ago. It is to be called
// now and then.
func (c *Catalog) Expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, e := range c.entries {
		if !e.live && c.now().Sub(e.ended) > c.settings.Linger {
			delete(c.entries, name)
		}
	}
}
