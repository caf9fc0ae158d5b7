package packager

import (
	"slices"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// All renditions of a stream keep pace with the one that is furthest, in time and
// in numbers. Where the samples of one stay away, its time is filled.
//
//	v1  │ part │ part │ par             ← the picture stays away
//	a1  │ part │ part │ part │ part │   ← head
//	                   ├ patience ┤
//	v1  │ part │ part │ par│gap│        as far as the head, but for the patience
//
// Filling begins, and goes on, as far behind the head as the rendition's samples
// may come late. So those that come back find their place free.

// arrived notes how far a sample that has come is, and how far behind the others.
func (p *publication) arrived(w *writer, s *remux.Sample) {
	b, a := &p.beat, &w.absence
	at := w.nanoseconds(s.DTS)
	p.belated(w, s)
	b.head = max(b.head, at)
	if w.leads {
		b.led = at
	}
	b.hurry(p.genlock != nil, p.now)
	if w.leads && a.wrote && !a.away && at-w.place() > int64(w.patience()) {
		w.leave() // and so were the others, or it had been seen
	}
	if p.leader != nil && p.leader.absence.away && !p.promote() {
		p.leadAway()
	}
}

// belated notes how late the samples of a rendition come.
func (p *publication) belated(w *writer, s *remux.Sample) {
	w.absence.late.note(time.Duration(p.beat.head - w.nanoseconds(s.DTS)))
}

// hurry notes how far the others are to be. Of several publishers one may send seconds at
// once, and the others as much a moment later: they are not driven faster than at
// twice the pace of time.
func (b *beat) hurry(several bool, now func() time.Time) {
	const (
		most = 500 * time.Millisecond // between two samples: all may have been held up
		far  = int64(5 * time.Second)
	)
	if !several || b.paced == 0 {
		b.paced = b.head
		return
	}
	at := now()
	passed := min(max(at.Sub(b.pacedAt), 0), most)
	b.pacedAt = at
	b.paced = min(max(b.paced+2*int64(passed), b.head-far), b.head)
}

// pace lets the renditions keep pace with the one that a sample has come for, and that
// one itself, where the sample is too late to be written: pictures may be so up to the
// next keyframe.
func (p *publication) pace(w *writer, inTime bool) error {
	if inTime && p.beat.paced <= p.beat.calm { // with many streams the memory of the others is cold
		return nil
	}
	const most = 100 * time.Millisecond // a rendition's patience may change meanwhile
	p.beat.calm = p.beat.paced + int64(most)
	for _, o := range p.writers {
		behind, patience := time.Duration(p.beat.paced-o.place()), o.patience()
		p.beat.calm = min(p.beat.calm, p.beat.paced+int64(patience-behind))
		if o == w && inTime || behind <= patience {
			continue
		}
		if err := o.fill(p.beat.paced - int64(patience)); err != nil {
			return err
		}
	}
	return nil
}

// goesOn keeps a rendition that the encoder has no track for any more. Those who
// watch it have the rest of the stream go on.
func (p *publication) goesOn(w *writer) bool {
	if w.header.Bytes == nil || !slices.ContainsFunc(w.closed, func(s *Segment) bool { return !s.Gap() }) {
		return false
	}
	w.begin(w.header.Track)
	w.absence.away, w.absence.since, w.absence.trackless = true, p.beat.id, true
	p.insert(w)
	return true
}

// even lets the open segments of all renditions have the same number, where a
// period ends. Who is behind had no sample since a boundary of the others. Of pictures nothing is filled
// beyond until, ns.
func (p *publication) even(until int64) error {
	if p.beat.period == nil || p.beat.period.Start < 0 {
		return nil // there is nothing of it
	}
	most, began, end := MSN(0), int64(0), int64(0)
	for _, w := range p.writers {
		if w.open != nil || !w.unlisted() {
			if n := w.newestNumber(); n > most {
				most, began = n, w.newestBegan()
			}
			end = max(end, w.place())
		}
	}
	if at, known := p.beat.end(most - 1); known {
		began = at
	}
	for _, w := range p.writers {
		if w.open == nil && w.unlisted() {
			continue // it is in no list, and begins with the number that the others have then
		}
		if w.newestNumber() < most && w.canBeSilent() {
			if err := w.fillSilence(end); err != nil {
				return err
			}
		}
		if w.newestNumber() < most && w.open != nil && len(w.open.Parts) > 0 && !w.isVideo() && !w.part.perFrame && !w.part.empty() {
			w.settleLast() // what there is of a part makes one, and no gap lies where the next period begins
			w.carry()
		}
		if w.isVideo() && w.newestNumber() < most { // segment by segment
			if err := w.gapTo(min(began, until)); err != nil {
				return err
			}
		}
		for w.newestNumber() < most {
			if err := w.beginGap(); err != nil {
				return err
			}
			if w.open != nil {
				if err := w.closeSegment(); err != nil {
					return err
				}
			}
			const least = int64(20 * time.Millisecond) // of each that is missing: all have a date of their own
			missing := int64(most - w.newestNumber())
			// The last one ends where the others do. Sound may be beyond the leader already: then it ends where
			// that does, as the sound of the period that comes begins there. Where none comes, nothing goes back.
			end := end
			if l := p.leader; !w.isVideo() && l != nil && l.place() < w.place() {
				end = w.place()
			}
			if w.isVideo() {
				end = min(end, until)
			}
			if len(p.by) == 0 {
				end = max(end, w.place()+missing*least)
			}
			end -= (missing - 1) * least
			at := w.ticks(min(w.place(), end-least))
			w.join(w.place())
			w.openSegment(at, at, true)
			for end-w.place() > int64(time.Millisecond) {
				if err := w.gapPart(min(end, w.place()+int64(w.beat.grid.step))); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// newestNumber is that of the open segment, or of the last one.
func (w *writer) newestNumber() MSN {
	if w.open == nil {
		return w.msn - 1
	}
	return w.msn
}

// newestBegan is where that segment begins, ns.
func (w *writer) newestBegan() int64 {
	if w.open == nil {
		last := w.shelf.newest()
		return nanoseconds(last.PTS, last.Header.Track.Timescale)
	}
	return w.nanoseconds(w.open.PTS)
}
