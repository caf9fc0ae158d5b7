package packager

import "time"

// fillGap adds the gaps that end by then, on the grid and where segments
// end.
func (w *writer) fillGap(until int64) error {
	if w.open == nil {
		w.takeTurn() // it may have begun behind the segment that this one had closed already
	}
	if err := w.beginGap(); err != nil {
		return err
	}
	for {
		end, closes := w.gapEnd()
		if end > until {
			return nil
		}
		if err := w.gapPart(end); err != nil {
			return err
		}
		if closes {
			if _, known := w.beat.end(w.msn); w.leads && !known {
				w.beginTurn(w.msn, end)
				w.beat.lead(end)
			}
			if err := w.closeSegment(); err != nil {
				return err
			}
			if err := w.makeHeader(); err != nil { // a period may have begun
				return err
			}
		}
	}
}

// beginGap ends the part that the rendition was in.
func (w *writer) beginGap() error {
	w.beat.loosen()
	if w.leads {
		w.beat.opening = openingDone
	}
	w.settleLast()
	w.newest.sealed = false
	if err := w.makeHeader(); err != nil {
		return err
	}
	return w.closePart()
}

// gapEnd is where the next gap of a rendition ends, ns, and whether its segment
// ends there, too.
func (w *writer) gapEnd() (end int64, closes bool) {
	place, begin := w.place(), w.place()
	if w.open != nil {
		begin = w.nanoseconds(w.open.PTS)
	}
	step := int64(w.beat.grid.step)
	const sliver = int64(10 * time.Millisecond)
	end = begin + ((place-begin+sliver)/step+1)*step
	end = min(end, place+int64(w.beat.grid.target))
	// No scrap is left in front of the segment's end.
	if last := w.segmentEnd(begin); last <= end || last-end < step/2 && last-place <= int64(w.beat.grid.target) {
		return max(last, place), true
	}
	return end, false
}

// segmentEnd is where a gap in the open segment, which began there, is to end with it.
func (w *writer) segmentEnd(begin int64) int64 {
	const least = int64(20 * time.Millisecond) // of a segment whose end had been there before it began
	most := begin + int64(w.beat.segmentMax)
	at, known := w.beat.end(w.msn)
	switch {
	case known:
	case w.leads:
		at = w.beat.next()
	default:
		return most
	}
	return min(max(at, begin+least), most)
}

// gapPart adds a part without bytes that ends there.
func (w *writer) gapPart(end int64) error {
	place := w.place()
	if w.open == nil {
		at := w.ticks(place)
		if at >= w.ticks(end) {
			return nil // no segment is for less than a tick
		}
		w.join(place)
		w.openSegment(at, at, true)
	}
	d := w.ticks(end) - (w.open.PTS + w.open.Duration)
	if d <= 0 {
		return nil
	}
	w.open.Parts = append(w.open.Parts, w.part.gap(d))
	w.open.Duration += d
	if !w.open.Gaps {
		w.open.Gaps = true
		w.relist()
	}
	if w.open.Samples == 0 {
		w.open.Lead += d
	} else {
		shown := min(d, w.newest.early) // pictures that were decoded early
		w.newest.early -= shown
		w.open.Tail += d - shown
	}
	w.change = max(w.change, changePart)
	return nil
}

// gapTo takes the time up to there, ns, to the tick.
func (w *writer) gapTo(until int64) error {
	if err := w.fillGap(until); err != nil {
		return err
	}
	const slight = int64(40 * time.Millisecond) // no segment is for that
	switch left := until - w.place(); {
	case left <= 0, w.open == nil && left < slight && !w.unlisted():
		return nil
	}
	return w.gapPart(until)
}
