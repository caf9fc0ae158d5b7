package packager

import (
	"encoding/gob"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// A stream that rests goes from one process to another: its newest Window, and what its
// writers go by. The other one goes on with it as with an encoder that comes back.
//
//	Catalog ── HandOver ──▶ handed ── gob ──▶ Adopt ──▶ Catalog
//
// Periods and headers are what segments point to: each is handed over once, and named by
// its place in a list.

// handoverFormat changes where the same fields mean something else.
const handoverFormat = 1

// mostHanded bounds the periods, headers and segments of a stream that is handed over.
const mostHanded = 1 << 16

var (
	errNotAtRest = errors.New("the stream has a publisher")
	errFormat    = errors.New("the stream was handed over in another format")
)

// handed is a stream at rest, but for its segments, which follow one by one: their bytes
// needn't be in memory twice.
type handed struct {
	Format      int
	Media       int64 // the least numbers of what comes
	Sequence    int64
	Known       bool // there is a stream; else that is all
	Ended       bool
	Periods     []Period
	Headers     []handedHeader
	Window      handedWindow
	Publication handedPublication // zero of one that has ended
	Segments    int               // that follow
}

type handedHeader struct {
	Period, Before int // −1: none
	Track          remux.Track
	Bytes          []byte
}

type handedWindow struct {
	Renditions, Former []handedRendition
	Acts               []handedAct
	LeftOut            []string
	Captions           remux.Captions
	TargetDuration     int
	PartTarget, Grain  time.Duration
	Late, Extent       time.Duration
	Changed            time.Time
	Numbers            int
	Begun              bool
}

// handedRendition has its segments in the list of all, those that are listed no longer
// first.
type handedRendition struct {
	Rendition
	Header            int // −1: none
	Retired, Segments int
	Until             time.Time // of a former one
}

type handedAct struct {
	Act
	Period int
	Seen   MSN
}

type handedPublication struct {
	Target                       int
	Step, PartTarget, SegmentMax time.Duration
	Leading                      time.Duration
	Picture                      bool
	Segment                      time.Duration // see regularity
	Sure                         bool
	Alike, Needed                int
	Opening                      opening
	ID, Sequence                 int64
	Number                       MSN
	Listed                       int
	Writers                      []handedWriter
}

type handedWriter struct {
	Order, Header int
	Leads         bool
	Fragment      uint32
	End           int64
	Lasts, Came   uint32
	Late          time.Duration
	Peak          int
	Bytes         [3]int // see rate: of all, last and short
	Seconds       [3]float64
}

type handedSegment struct {
	Segment
	Header int
}

// HandOver returns how a stream that rests is written, for Adopt of another Catalog. It
// stays what it is: see Release. Of a stream that isn't there, the numbers are written.
func (c *Catalog) HandOver(name StreamName) (write func(io.Writer) error, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[name]
	if !ok {
		least := c.clock().or(c.ahead[name])
		return func(w io.Writer) error {
			return gob.NewEncoder(w).Encode(handed{Format: handoverFormat, Media: least.media, Sequence: least.discontinuity})
		}, nil
	}
	if e.state == Live {
		return nil, errNotAtRest
	}
	e.since = c.now() // it is not to end on the way
	least := c.clock().or(e.least)
	h := &hander{headers: make(map[*Header]int), periods: make(map[*Period]int)}
	h.Format, h.Known, h.Ended, h.Media, h.Sequence = handoverFormat, true, e.state == Ended, least.media, least.discontinuity
	h.window(e.stream.Window(), e.publication)
	if p := e.publication; p != nil {
		p.mu.Lock()
		h.publication(p)
		p.mu.Unlock()
	}
	h.Segments = len(h.segments)
	return h.write, nil
}

// Release forgets a stream that was handed over. It doesn't end: viewers find it elsewhere,
// those who wait for it, too.
func (c *Catalog) Release(name StreamName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[name]; ok && e.state != Live {
		delete(c.entries, name)
		close(e.stream.released)
	}
	delete(c.ahead, name)
}

// Quiet tells whether nothing is left that viewers could ask for, or that another process
// would have to know.
func (c *Catalog) Quiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries) == 0 && !slices.ContainsFunc(slices.Collect(maps.Values(c.ahead)), func(n numbers) bool { return n.ahead(c.clock()) > 0 })
}

// hander makes a handed.
type hander struct {
	handed
	headers  map[*Header]int
	periods  map[*Period]int
	segments []*Segment
}

func (h *hander) period(p *Period) int {
	if p == nil {
		return -1
	}
	i, ok := h.periods[p]
	if !ok {
		i = len(h.Periods)
		h.periods[p], h.Periods = i, append(h.Periods, *p)
	}
	return i
}

func (h *hander) header(x *Header) int {
	if x == nil {
		return -1
	}
	i, ok := h.headers[x]
	if !ok {
		i = len(h.Headers)
		h.headers[x] = i
		h.Headers = append(h.Headers, handedHeader{h.period(x.Period), h.period(x.Before), x.Track, x.Bytes})
	}
	return i
}

func (h *hander) rendition(r *Rendition) handedRendition {
	out := handedRendition{Rendition: *r, Header: h.header(r.Header), Retired: len(r.Retired), Segments: len(r.Segments)}
	out.Rendition.Header, out.Rendition.Segments, out.Rendition.Retired = nil, nil, nil
	for _, list := range [][]*Segment{r.Retired, r.Segments} {
		for _, s := range list {
			h.header(s.Header)
			h.segments = append(h.segments, s)
		}
	}
	return out
}

func (h *hander) window(w *Window, p *publication) {
	out := &h.Window
	for i := range w.Renditions {
		out.Renditions = append(out.Renditions, h.rendition(&w.Renditions[i]))
	}
	for i := range w.Former {
		r := h.rendition(&w.Former[i])
		r.Until = w.Changed.Add(2 * (w.Extent + w.Longest()))
		if p != nil && i < len(p.former) {
			r.Until = p.former[i].until
		}
		out.Former = append(out.Former, r)
	}
	for _, a := range w.Acts {
		t := handedAct{a, h.period(a.Period), a.seen}
		t.Act.Period = nil
		out.Acts = append(out.Acts, t)
	}
	out.LeftOut, out.Captions = w.LeftOut, w.Captions
	out.TargetDuration, out.PartTarget, out.Grain, out.Late, out.Extent = w.TargetDuration, w.PartTarget, w.Grain, w.Late, w.Extent
	out.Changed, out.Numbers, out.Begun = w.Changed, w.numbers, w.begun
}

func (h *hander) publication(p *publication) {
	b := &p.beat
	out := &h.Publication
	*out = handedPublication{
		Target: b.target, Step: b.grid.step, PartTarget: b.grid.target, SegmentMax: b.segmentMax,
		Leading: b.leading.last, Picture: b.leading.video,
		Segment: b.regularity.segment, Sure: b.regularity.sure, Alike: b.regularity.alike, Needed: b.regularity.needed,
		Opening: b.opening, ID: b.id, Sequence: b.sequence, Number: b.number, Listed: p.retention.listed,
	}
	for _, w := range p.writers {
		out.Number = max(out.Number, w.msn)
		out.Writers = append(out.Writers, handedWriter{
			Order: w.order, Header: h.header(w.header), Leads: w == p.leader, Fragment: w.part.sequence,
			End: w.newest.end, Lasts: w.newest.lasts, Came: w.newest.came, Late: w.late, Peak: w.rate.peak,
			Bytes: [3]int{w.rate.all.bytes, w.rate.last.bytes, w.rate.short.bytes}, Seconds: [3]float64{w.rate.all.seconds, w.rate.last.seconds, w.rate.short.seconds},
		})
	}
}

func (h *hander) write(to io.Writer) error {
	e := gob.NewEncoder(to)
	if err := e.Encode(&h.handed); err != nil {
		return err
	}
	for _, s := range h.segments {
		out := handedSegment{*s, h.headers[s.Header]}
		out.Segment.Header = nil
		if err := e.Encode(&out); err != nil {
			return err
		}
	}
	return nil
}
