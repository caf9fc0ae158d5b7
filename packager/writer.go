package packager

import (
	"time"

	"github.com/sluice-live/sluice/packager/cmaf"
	"github.com/sluice-live/sluice/remux"
)

// writer makes the parts and segments of one rendition.
//
// The newest sample is in the arena already, but how long it lasts is known
// only when the next one comes: until then it is pending.
type writer struct {
	id     RenditionID
	header *Header
	arena  arena

	// The open part.
	samples   []cmaf.Sample
	pending   bool  // the last of samples has its expected duration
	partDTS   int64 // of its first sample
	partTicks int64 // Σ durations of samples that are not pending
	partSync  bool
	fragment  uint32 // sequence number of the fragment

	// The open segment.
	msn          MSN
	parts        []Part
	segmentDTS   int64
	segmentPTS   int64
	segmentTicks int64
	segmentSync  bool // the first sample is one where decoding can start
	segmentBytes int
	segmentCount int // samples

	// Closed ones. Lists that a Window has are never written again.
	segments []*Segment
	retired  []*Segment

	last struct{ samples, payload, segment int } // sizes to expect of the next part and segment

	rate      rate
	frameRate remux.Rational
}

// rate measures bit rates over the closed segments of a publication.
type rate struct {
	peak, bytes int
	seconds     float64
}

func (r *rate) add(bytes int, seconds float64) {
	if seconds <= 0 {
		return
	}
	r.bytes += bytes
	r.seconds += seconds
	r.peak = max(r.peak, int(float64(bytes)*8/seconds))
}

func (r *rate) average() int {
	if r.seconds == 0 {
		return 0
	}
	return int(float64(r.bytes) * 8 / r.seconds)
}

// begin starts a period with another header.
func (w *writer) begin(h *Header) {
	w.header = h
	w.frameRate = remux.Rational{}
}

func (w *writer) segmentOpen() bool { return len(w.samples) > 0 || len(w.parts) > 0 }

func (w *writer) duration(ticks int64) time.Duration {
	return time.Duration(nanoseconds(ticks, w.header.Track.Timescale))
}

// settle gives the pending sample the duration that the next one's DTS says.
func (w *writer) settle(next int64) {
	if !w.pending {
		return
	}
	s := &w.samples[len(w.samples)-1]
	s.Duration = uint32(next - (w.partDTS + w.partTicks))
	w.settleLast()
}

// settleLast leaves it the duration that was expected.
func (w *writer) settleLast() {
	if !w.pending {
		return
	}
	w.pending = false
	d := int64(w.samples[len(w.samples)-1].Duration)
	w.partTicks += d
	w.segmentTicks += d
}

// add puts a sample into the open part, beginning one where there is none.
func (w *writer) add(s remux.Sample) {
	pts := s.DTS + int64(s.CompositionOffset)
	if !w.segmentOpen() {
		w.segmentDTS, w.segmentPTS, w.segmentSync = s.DTS, pts, s.Sync
	}
	w.segmentPTS = min(w.segmentPTS, pts)
	if len(w.samples) == 0 {
		const spare = 4 // samples more than the last part had
		headroom := cmaf.HeaderSize(w.last.samples+spare, true)
		w.arena.open(headroom, w.last.payload*9/8, w.last.segment*9/8)
		w.partDTS, w.partSync = s.DTS, false
	}
	w.partSync = w.partSync || s.Sync
	flags := cmaf.NonSync
	if s.Sync {
		flags = cmaf.Sync
	}
	w.arena.append(s.Data)
	w.samples = append(w.samples, cmaf.Sample{
		Duration:          s.Duration,
		Size:              uint32(len(s.Data)),
		Flags:             flags,
		CompositionOffset: s.CompositionOffset,
	})
	w.pending = true
}

// closePart makes the open part a Part. Its samples must be settled.
func (w *writer) closePart() error {
	if len(w.samples) == 0 {
		return nil
	}
	payload := w.arena.payload()
	if w.header.Bytes == nil {
		if err := w.makeHeader(payload); err != nil {
			return err
		}
	}
	w.fragment++
	f := cmaf.Fragment{
		Sequence:       w.fragment,
		DecodeTime:     w.partDTS,
		StartsSegment:  len(w.parts) == 0,
		SamplesPayload: payload,
	}
	bytes := w.arena.close(cmaf.HeaderSize(len(w.samples), f.StartsSegment), func(dst []byte) []byte {
		return f.Append(dst, w.samples)
	})
	if w.parts == nil {
		w.parts = make([]Part, 0, 8)
	}
	w.parts = append(w.parts, Part{Bytes: bytes, Duration: w.partTicks, Independent: w.partSync})
	w.segmentBytes += len(bytes)
	w.segmentCount += len(w.samples)
	w.last.samples, w.last.payload = len(w.samples), payload
	w.samples, w.partTicks = w.samples[:0], 0
	return nil
}

// makeHeader writes the header of a period when its first part is complete:
// only then is there a bit rate, if the encoder named none.
func (w *writer) makeHeader(payload int) error {
	h := *w.header
	average := h.Track.Bitrate
	if average == 0 {
		average = int(float64(payload) * 8 / max(h.Seconds(w.partTicks), 1e-3))
	}
	bytes, err := cmaf.Header(h.Track, max(average, w.rate.peak), average)
	if err != nil {
		return err
	}
	h.Bytes = bytes
	w.header = &h
	return nil
}

// closeSegment makes the open segment a Segment and keeps the list at listed
// segments.
func (w *writer) closeSegment(listed int) error {
	if err := w.closePart(); err != nil {
		return err
	}
	s := &Segment{
		MSN:         w.msn,
		Header:      w.header,
		Parts:       w.parts,
		DTS:         w.segmentDTS,
		PTS:         w.segmentPTS,
		Duration:    w.segmentTicks,
		Size:        w.segmentBytes,
		Samples:     w.segmentCount,
		Independent: w.segmentSync,
	}
	w.rate.add(s.Size, s.Seconds())
	if w.frameRate == (remux.Rational{}) {
		w.frameRate = measureFrameRate(s)
	}
	w.last.segment = w.segmentBytes
	w.msn++
	w.parts, w.segmentTicks, w.segmentBytes, w.segmentCount = nil, 0, 0, 0

	first := max(0, len(w.segments)+1-listed)
	w.retired = append(w.retired[:len(w.retired):len(w.retired)], w.segments[:first]...)
	list := make([]*Segment, 0, listed)
	w.segments = append(append(list, w.segments[first:]...), s)
	return nil
}

// extent is how long the playlist is.
func (w *writer) extent() time.Duration {
	var d time.Duration
	for _, s := range w.segments {
		d += w.durationOf(s)
	}
	return d
}

func (w *writer) durationOf(s *Segment) time.Duration {
	return time.Duration(nanoseconds(s.Duration, s.Header.Track.Timescale))
}

// forget drops retired segments. One stays fetchable, after it left the
// playlist, for its own duration and that of the longest playlist that had it
// (RFC 8216bis, section 6.2.2): keep is no less than that.
func (w *writer) forget(keep time.Duration) {
	var newer time.Duration
	for i := len(w.retired) - 1; i >= 0; i-- {
		if newer >= keep {
			w.retired = append([]*Segment(nil), w.retired[i+1:]...)
			return
		}
		newer += w.durationOf(w.retired[i])
	}
}

func (w *writer) snapshot(r *Rendition) {
	*r = Rendition{
		ID:        w.id,
		Segments:  w.segments,
		Retired:   w.retired,
		Open:      w.msn,
		Parts:     w.parts[:len(w.parts):len(w.parts)],
		FrameRate: w.frameRate,
		Peak:      w.rate.peak,
		Average:   w.rate.average(),
	}
	if w.header.Bytes != nil {
		r.Header = w.header
	}
}
