package tags

import (
	"iter"
	"slices"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/cmaf"
)

// track is one rendition on its way to one reader. Times are nanoseconds since 1970.
type track struct {
	id   packager.RenditionID
	kind flv.Kind

	// Where it is in the Windows: the part that comes next, and how many units of
	// that were taken while it grew.
	next  int64
	taken int

	queue   []unit
	first   int   // of the queue: what is before it is sent
	reached int64 // where the newest that was taken ends; 0 before the first

	taking  *packager.Header // of what was taken last
	header  *packager.Header // of what is sent
	framing flv.Framing
	config  []byte // see framing
	told    bool
	number  uint8 // 0 for the first of its kind, or the only one

	// As the newest Window says.
	bitrate   int
	frameRate float64

	mute     bool  // the reader doesn't want it now
	waits    bool  // for a unit where decoding can start
	last     int64 // timestamp of what was sent last, ms, not wrapped
	begun    bool  // something was sent
	vanished bool  // the Windows have it no longer
}

// unit is an access unit that waits to be sent.
type unit struct {
	header *packager.Header
	dts    int64
	pts    int64
	sync   bool
	data   []byte // aliases part
	part   []byte // the memory that data is in
}

// held tells how many units wait.
func (t *track) held() int { return len(t.queue) - t.first }

// drop forgets all that waits.
func (t *track) drop() {
	clear(t.queue) // or their parts stay in memory
	t.queue, t.first = t.queue[:0], 0
}

// pop takes the next unit. There must be one.
func (t *track) pop() unit {
	u := t.queue[t.first]
	t.queue[t.first] = unit{}
	if t.first++; t.first == len(t.queue) {
		t.queue, t.first = t.queue[:0], 0
	}
	return u
}

// look takes what a rendition has that wasn't taken yet. It tells that something is
// lost: it has left the Window.
func (t *track) look(r *packager.Rendition) (lost bool) {
	if r.NextPart < t.next { // of another publication
		return true
	}
	for h, p := range from(r, t.next) {
		if p.Number > t.next {
			return true
		}
		t.take(h, p)
	}
	if len(r.Growing) > 0 && r.Header != nil && r.NextPart == t.next {
		t.units(r.Header, r.Growing)
	}
	return false
}

// take takes a part, or the rest of it.
func (t *track) take(h *packager.Header, p *packager.Part) {
	if p.Gap {
		t.reached += int64(h.Seconds(p.Duration) * float64(time.Second))
	} else {
		t.units(h, p.Bytes)
	}
	t.next, t.taken = p.Number+1, 0
}

// units takes the units of a part, but for those that were taken.
func (t *track) units(h *packager.Header, part []byte) {
	if t.taking != nil && t.taking.Period != h.Period && t.kind == flv.Video {
		t.waits = true // it begins with one anyway
	}
	t.taking = h
	n := 0
	for u := range cmaf.Units(part) {
		if n++; n <= t.taken {
			continue
		}
		dts := h.Time(u.DTS).UnixNano()
		t.reached = h.Time(u.DTS + int64(u.Duration)).UnixNano()
		sync := u.Flags == cmaf.Sync
		if t.waits && !sync {
			continue
		}
		t.waits = false
		t.queue = append(t.queue, unit{
			header: h, dts: dts, pts: h.Time(u.DTS + int64(u.CompositionOffset)).UnixNano(), sync: sync, data: u.Data, part: part,
		})
	}
	t.taken = n
}

// run is parts that lie one behind the other, and their header.
type run struct {
	header *packager.Header
	parts  []packager.Part
}

// runs yields what a rendition has of its publication, the newest first: the numbers
// of another begin anew.
func runs(r *packager.Rendition) iter.Seq[run] {
	return func(yield func(run) bool) {
		next := r.NextPart
		see := func(h *packager.Header, parts []packager.Part) bool {
			n := len(parts)
			if n == 0 {
				return true
			}
			if h == nil || parts[n-1].Number >= next {
				return false
			}
			next = parts[0].Number
			return yield(run{h, parts})
		}
		if !see(r.Header, r.Parts) {
			return
		}
		for _, list := range [][]*packager.Segment{r.Segments, r.Retired} {
			for _, s := range slices.Backward(list) {
				if !see(s.Header, s.Parts) {
					return
				}
			}
		}
	}
}

// from yields the parts of a rendition from a number on, or from the oldest that there
// is, with their headers.
func from(r *packager.Rendition, number int64) iter.Seq2[*packager.Header, *packager.Part] {
	var few [8]run
	newer := few[:0]
	for u := range runs(r) {
		if u.parts[len(u.parts)-1].Number < number {
			break
		}
		newer = append(newer, u)
	}
	return func(yield func(*packager.Header, *packager.Part) bool) {
		for _, u := range slices.Backward(newer) {
			for i := range u.parts {
				if u.parts[i].Number >= number && !yield(u.header, &u.parts[i]) {
					return
				}
			}
		}
	}
}

// key is where decoding can start: in the part of that number, at that time.
type key struct {
	part, at int64
}

// newestKey is the newest of a rendition.
func newestKey(r *packager.Rendition) (key, bool) {
	for u := range runs(r) {
		for _, p := range slices.Backward(u.parts) {
			if !p.Independent {
				continue
			}
			for unit := range cmaf.Units(p.Bytes) {
				if unit.Flags == cmaf.Sync {
					return key{p.Number, u.header.Time(unit.DTS).UnixNano()}, true
				}
			}
		}
	}
	return key{}, false
}

// partAt is the number of the newest part that begins no later than at, or of the
// oldest that there is.
func partAt(r *packager.Rendition, at int64) int64 {
	number := r.NextPart
	for u := range runs(r) {
		for _, p := range slices.Backward(u.parts) {
			number = p.Number
			for unit := range cmaf.Units(p.Bytes) {
				if u.header.Time(unit.DTS).UnixNano() <= at {
					return number
				}
				break
			}
		}
	}
	return number
}
