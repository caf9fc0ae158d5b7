package packager

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// Adopt takes a stream that another Catalog's HandOver has written. It waits for its
// encoder, or has ended, as it did there. A stream that is here already stays.
func (c *Catalog) Adopt(name StreamName, from io.Reader) error {
	in, err := receive(from)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[name]; ok {
		return errors.New("the stream is here already")
	}
	least := numbers{in.Media, in.Sequence}
	if !in.Known {
		c.remember(name, least)
		return nil
	}
	e := &entry{stream: newStream(name), state: Ended, since: c.now(), least: least}
	w := in.stand(name)
	if in.Ended {
		w.State = Ended
		e.stream.window.Store(w)
	} else {
		w.State = Waiting
		e.stream.window.Store(w)
		e.publication = in.publish(e.stream, c.settings, c.now)
		e.state = Waiting
	}
	c.entries[name] = e
	return nil
}

// received is a handed, put together again.
type received struct {
	handed
	periods  []*Period
	headers  []*Header
	segments []*Segment
}

func receive(from io.Reader) (*received, error) {
	in, d := new(received), gob.NewDecoder(from)
	if err := d.Decode(&in.handed); err != nil {
		return nil, fmt.Errorf("a stream that is handed over: %w", err)
	}
	if in.Format != handoverFormat || len(in.Periods) > mostHanded || len(in.Headers) > mostHanded || in.Segments > mostHanded {
		return nil, errFormat
	}
	for i := range in.Periods {
		in.periods = append(in.periods, &in.Periods[i])
	}
	for _, h := range in.Headers {
		period, before := at(in.periods, h.Period), at(in.periods, h.Before)
		if period == nil || h.Track.Codec == nil || h.Track.Timescale == 0 {
			return nil, errFormat
		}
		in.headers = append(in.headers, &Header{Period: period, Track: remux.Received(h.Track), Bytes: h.Bytes, Before: before})
	}
	for range in.Segments {
		var s handedSegment
		if err := d.Decode(&s); err != nil {
			return nil, fmt.Errorf("a stream that is handed over: %w", err)
		}
		whole := s.Segment
		if whole.Header = at(in.headers, s.Header); whole.Header == nil {
			return nil, errFormat
		}
		in.segments = append(in.segments, &whole)
	}
	return in, in.fits()
}

// fits tells whether all that is counted is there.
func (in *received) fits() error {
	n, most := 0, len(in.segments)
	for _, list := range [][]handedRendition{in.Window.Renditions, in.Window.Former} {
		for _, r := range list {
			if r.Retired < 0 || r.Segments < 0 || r.Retired > most || r.Segments > most {
				return errFormat
			}
			n += r.Retired + r.Segments
		}
	}
	bad := func(w handedWriter) bool { return at(in.headers, w.Header) == nil }
	if n != most || !in.Ended && (len(in.Publication.Writers) != len(in.Window.Renditions) || slices.ContainsFunc(in.Publication.Writers, bad)) {
		return errFormat
	}
	return nil
}

// at is the element of that index, or nil.
func at[T any](list []*T, i int) *T {
	if i < 0 || i >= len(list) {
		return nil
	}
	return list[i]
}

// stand makes the Window that there was.
func (in *received) stand(name StreamName) *Window {
	from := &in.Window
	w := newWindow(name)
	left := in.segments
	take := func(n int) []*Segment {
		list := left[:n:n]
		left = left[n:]
		return list
	}
	for _, list := range []struct {
		from []handedRendition
		to   *[]Rendition
	}{{from.Renditions, &w.Renditions}, {from.Former, &w.Former}} {
		for i := range list.from {
			r := list.from[i].Rendition
			r.Header = at(in.headers, list.from[i].Header)
			r.Retired = take(list.from[i].Retired)
			r.Segments = take(list.from[i].Segments)
			*list.to = append(*list.to, r)
		}
	}
	for _, t := range from.Acts {
		a := t.Act
		if a.Period, a.seen = at(in.periods, t.Period), t.Seen; a.Period != nil {
			w.Acts = append(w.Acts, a)
		}
	}
	w.LeftOut, w.Captions = from.LeftOut, from.Captions
	w.TargetDuration, w.PartTarget, w.Grain, w.Late, w.Extent = from.TargetDuration, from.PartTarget, from.Grain, from.Late, from.Extent
	w.Changed, w.numbers, w.begun = from.Changed, from.Numbers, from.Begun
	return w
}

// publish makes the publication that rests behind that Window.
func (in *received) publish(s *Stream, set Settings, now func() time.Time) *publication {
	from, w := &in.Publication, s.Window()
	p := &publication{stream: s, common: common{set: set, now: now, beat: newBeat(set)}, changed: w.Changed, begun: w.begun}
	p.retention = retention{stream: s, most: set.Segments, listed: min(from.Listed, set.Segments), extent: w.Extent, held: p.held}
	if set.Genlock {
		p.genlock = remux.NewGenlock()
	}
	b := &p.beat
	if b.target = from.Target; b.target > 0 {
		b.segmentMax = from.SegmentMax
	}
	b.grid, b.leading = grid{from.Step, from.PartTarget}, frames{from.Leading, from.Picture}
	b.regularity = regularity{from.Segment, from.Sure, from.Alike, from.Needed}
	b.opening, b.id, b.number, b.sequence = from.Opening, from.ID, from.Number, from.Sequence
	for i := range w.Former {
		p.former.add(&w.Former[i], in.Window.Former[i].Until)
	}
	for i := range w.Renditions {
		r, h := &w.Renditions[i], from.Writers[i]
		wr := &writer{
			common: &p.common, id: r.ID, order: h.Order, header: at(in.headers, h.Header), msn: r.Open,
			shelf:     shelf{closed: slices.Concat(r.Retired, r.Segments), listed: len(r.Retired)},
			frameRate: r.FrameRate, late: h.Late,
			rate: rate{peak: h.Peak, all: amount{h.Bytes[0], h.Seconds[0]}, last: amount{h.Bytes[1], h.Seconds[1]}, short: amount{h.Bytes[2], h.Seconds[2]}},
		}
		wr.part.number, wr.part.sequence, wr.part.timescale = r.NextPart, h.Fragment, wr.header.Track.Timescale
		wr.newest.end, wr.newest.lasts, wr.newest.came = h.End, h.Lasts, h.Came
		p.writers = append(p.writers, wr)
		if h.Leads {
			p.leader = wr
		}
	}
	if p.leader == nil && len(p.writers) > 0 {
		p.leader = p.writers[0]
	}
	return p
}
