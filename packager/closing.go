package packager

import (
	"time"

	"github.com/sluice-live/sluice/packager/cmaf"
	"github.com/sluice-live/sluice/remux"
)

// grow lets what is in the open part be seen: its frames are complete.
func (w *writer) grow() error {
	w.seal()
	w.change = max(w.change, changeGrowth)
	return w.makeHeader()
}

// closePart makes the open part a Part, if there is anything in it. Its samples must
// be settled.
func (w *writer) closePart() error {
	w.change = max(w.change, changePart)
	if w.part.empty() {
		return nil
	}
	if err := w.makeHeader(); err != nil {
		return err
	}
	n := len(w.part.samples)
	part := w.part.close(w.open.Samples == 0)
	w.open.Parts = append(w.open.Parts, part)
	w.open.Size += len(part.Bytes)
	w.open.Samples += n
	if w.leads {
		now := w.now()
		w.late = now.Sub(time.Unix(0, w.nanoseconds(w.newest.end-part.Duration)))
		if w.set.OnPart != nil {
			w.set.OnPart(now.Sub(time.Unix(0, w.nanoseconds(w.newest.end-int64(w.newest.lasts)))))
		}
	}
	return nil
}

// makeHeader writes the header of a period when its first part is complete:
// only then is there a bit rate, if the encoder named none.
func (w *writer) makeHeader() error {
	if w.header.Bytes != nil {
		return nil
	}
	h := *w.header
	average := h.Track.Bitrate
	if average == 0 {
		average = int(float64(w.part.draft.payload()) * 8 / max(h.Seconds(w.part.settled), 1e-3))
	}
	bytes, err := cmaf.Header(h.Track, max(average, w.rate.peak), average)
	if err != nil {
		return err
	}
	h.Bytes = bytes
	w.header = &h
	return nil
}

func (w *writer) openSegment(dts, pts int64, sync bool) {
	pts = w.inOrder(pts)
	w.open = &Segment{MSN: w.msn, Start: w.starts(pts), DTS: dts, PTS: pts, Independent: sync}
	if last := w.shelf.newest(); last != nil && last.Header.Period == w.header.Period && w.open.Start <= last.Start {
		w.open.Start = last.Start + 1 // names are for one
	}
	w.foresight.promise = 0
	w.open.Parts = w.open.few[:0]
}

// inOrder is when what begins a segment is shown, or when what began the one before is, if
// that is later: dates never go back, where timestamps stand still.
func (w *writer) inOrder(pts int64) int64 {
	if last := w.shelf.newest(); last != nil && last.Header.Track.Timescale == w.part.timescale {
		return max(pts, last.PTS)
	}
	return pts
}

// closeSegment makes the open segment a Segment.
func (w *writer) closeSegment() error {
	if w.leads {
		w.retention.choose(w.closed[w.listed:], w.openDuration(), w.beat.target)
	}
	if err := w.closePart(); err != nil {
		return err
	}
	w.endSegment()
	return nil
}

// carry ends the open segment before the open part, which becomes the first of
// the next segment. Decoding can start at its first sample.
func (w *writer) carry() {
	ticks := w.part.settled
	w.open.Duration -= ticks - w.part.early // a gap that was told ends where it was told to
	w.open.Tail = w.part.tail               // and the segment with it
	w.part.early, w.part.tail = 0, 0
	next := w.open.PTS + w.open.Duration
	if w.isVideo() && !w.group.open {
		next = w.part.dts + int64(w.part.samples[0].CompositionOffset)
	}
	w.endSegment()
	w.openSegment(w.part.dts, next, true)
	w.open.Duration, w.openBegan = ticks, w.part.began
	w.open.Leading = w.isVideo() && w.group.open
}

func (w *writer) endSegment() {
	s := w.open
	s.Header = w.header
	w.open = nil
	w.msn++
	w.change = max(w.change, changeSegment)
	if !s.Gap() {
		w.rate.add(s.Size, s.Seconds(), w.beat.target)
	}
	if w.frameRate == (remux.Rational{}) && !s.Gaps && w.preroll.hidden(s) == 0 {
		w.frameRate = measureFrameRate(s)
	}
	w.shelf.add(s, w.retention.listed)
	if w.leads || w.beat.target == 0 { // the leader may never have come
		w.beat.ended(s.duration())
	}
	w.forget(w.retention.keep(w.extent()) + w.beat.longest())
	w.takeTurn()
}
