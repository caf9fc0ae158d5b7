// Package packager holds the live window of each stream for anyone to look at.
//
//	Contribution (one for each publisher) ──▶ publication ──publish──▶ Window ◀──look── Stream (any number of readers)
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
	FrameFragments     bool          // a fragment for each frame inside a part
	MaxBytes           int           // of the stream: a part and a segment end at a fraction of it; 0: at what no stream needs
	TargetDuration     time.Duration // bounds all segments, in whole seconds; 0: as the first GOP is
	Grace              time.Duration // how long a lost encoder is waited for
	Linger             time.Duration // how long an ended stream can still be fetched

	// OnPart is told, when a part of the rendition with the keyframes is complete, how
	// long ago its last frame was due. It may be nil; it is called by any publisher.
	OnPart func(late time.Duration)

	// Genlock keeps the publishers that contribute to one stream on one line: there may
	// be several.
	Genlock bool

	// Backup lets a second publisher of each quality stand by. It takes over when nothing
	// came from the first for BackupAfter, and, with BackupReturn, gives the place back.
	Backup       bool
	BackupAfter  time.Duration
	BackupReturn bool
	Sound        string // label of the publisher that the sound is taken from; "": the first that has it
}

// Catalog has all streams by name.
type Catalog struct {
	settings Settings
	now      func() time.Time // the wall clock

	mu      sync.Mutex
	entries map[StreamName]*entry
	reached numbers                // the highest that the clock has shown: it may be set back
	ahead   map[StreamName]numbers // of forgotten streams that are ahead of the clock, mostAhead at most
}

// mostAhead bounds how many forgotten streams are remembered: 2 MiB. Beyond that
// one goes, of some that are looked at, whom the clock will come up with soon.
const mostAhead = 1 << 14

type entry struct {
	stream      *Stream
	publication *publication // nil when ended
	least       numbers      // of the next publication, whatever the clock says
	state       State
	since       time.Time // of the state
}

func (e *entry) become(s State, now time.Time) { e.state, e.since = s, now }

// NewCatalog returns an empty Catalog. now is the wall clock.
func NewCatalog(s Settings, now func() time.Time) *Catalog {
	return &Catalog{settings: s, now: now, entries: make(map[StreamName]*entry), ahead: make(map[StreamName]numbers)}
}

// Publish lets one publisher write a stream. One who comes while the stream waits for
// its encoder goes on with it.
func (c *Catalog) Publish(name StreamName) (*Contribution, error) {
	return c.Contribute(name, Contributor{})
}

// Contribute does the same for one of several publishers. ErrBusy tells that there are
// as many of that label as there may be.
func (c *Catalog) Contribute(name StreamName, from Contributor) (*Contribution, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[name]
	if !ok {
		e = &entry{stream: newStream(name), state: Ended, least: c.ahead[name]}
		c.entries[name] = e
		delete(c.ahead, name)
	}
	if e.state == Ended {
		e.publication = newPublication(e.stream, c.settings, c.clock().or(e.least), c.now)
	}
	by, err := e.publication.join(from, func(lost bool) { c.release(e, lost) })
	if err == nil && e.state != Live {
		e.become(Live, c.now())
	}
	return by, err
}

// release takes note that a publisher has left.
func (c *Catalog) release(e *entry, lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch p := e.publication; {
	case !p.idle(): // others go on, or one has just come
	case lost && c.settings.Grace > 0:
		p.rest()
		e.become(Waiting, c.now())
	default:
		c.end(e)
	}
}

func (c *Catalog) end(e *entry) {
	e.publication.end()
	e.publication = nil
	e.least = e.least.or(numbersBehind(e.stream.Window()))
	e.become(Ended, c.now())
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
		case e.state == Waiting && passed > c.settings.Grace:
			c.end(e)
		case e.state == Ended && passed > c.settings.Linger:
			delete(c.entries, name)
			c.remember(name, e.least)
		}
	}
	for name, n := range c.ahead {
		if n.ahead(c.clock()) == 0 {
			delete(c.ahead, name)
		}
	}
}

// clock returns the clock's numbers, which don't go back.
func (c *Catalog) clock() numbers {
	c.reached = c.reached.or(numbersAt(c.now()))
	return c.reached
}

// remember keeps the numbers of a forgotten stream, if they are ahead of the
// clock: behind it, all that comes is higher anyway.
func (c *Catalog) remember(name StreamName, n numbers) {
	now := c.clock()
	if n.ahead(now) == 0 {
		return
	}
	c.ahead[name] = n
	if len(c.ahead) <= mostAhead {
		return
	}
	first, least, looked := name, n.ahead(now), 0
	for name, n := range c.ahead {
		if d := n.ahead(now); d < least {
			first, least = name, d
		}
		if looked++; looked == 64 {
			break
		}
	}
	delete(c.ahead, first)
}

// Forget ends a stream that has no publisher, and forgets it at once.
func (c *Catalog) Forget(name StreamName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[name]
	if !ok || e.state == Live {
		return
	}
	if e.state == Waiting {
		c.end(e)
	}
	delete(c.entries, name)
	c.remember(name, e.least)
}

// Finish ends a stream that waits for its encoder, and tells whether it did.
func (c *Catalog) Finish(name StreamName) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[name]
	if !ok || e.state != Waiting {
		return false
	}
	c.end(e)
	return true
}

// End ends the streams that wait for their encoders.
func (c *Catalog) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		if e.state == Waiting {
			c.end(e)
		}
	}
}
