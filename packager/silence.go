package packager

import "github.com/sluice-live/sluice/remux"

// canBeSilent tells that the track has units of silence.
func (w *writer) canBeSilent() bool { return len(w.header.Track.Silence) > 0 }

// fillSilence writes the units of silence that end by then.
func (w *writer) fillSilence(until int64) error {
	unit := int64(w.header.Track.SilenceDuration)
	if !w.absence.wrote {
		// Sound of the period before may reach into this one.
		at := w.ticks(w.place())
		w.newest.end = min(max(w.newest.end, at), at+w.ticks(int64(mostLateness)))
	}
	for w.nanoseconds(w.newest.end+unit) <= until {
		if err := w.silence(unit); err != nil {
			return err
		}
	}
	return nil
}

// silenceTo fills the time up to a sample that has come. The last unit is cut
// short, or that sample would be heard early.
func (w *writer) silenceTo(s *remux.Sample) error {
	if err := w.fillSilence(w.nanoseconds(s.DTS)); err != nil {
		return err
	}
	if rest := s.DTS - w.newest.end; rest > int64(w.header.Track.SilenceDuration)/4 {
		return w.silence(rest)
	}
	return nil
}

// silence writes a unit of silence that lasts so many ticks.
func (w *writer) silence(ticks int64) error {
	return w.write(&remux.Sample{DTS: w.newest.end, Duration: uint32(ticks), Sync: true, Data: w.header.Track.Silence})
}
