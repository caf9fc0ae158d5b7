package packager

import (
	"time"

	"github.com/sluice-live/sluice/packager/cmaf"
	"github.com/sluice-live/sluice/remux"
)

// writer makes the parts and segments of one rendition.
//
// The newest sample is in the draft already, but how long it lasts is known
// only when the next one comes: until then it is pending. Where a part is full
// it isn't waited for: the sample is sealed.
type writer struct {
	id     RenditionID
	header *Header
	frames bool // each frame is a fragment of its own
	draft  draft

	// The open part.
	samples   []cmaf.Sample
	frame     uint32 // ticks that the newest sample should last
	pending   bool   // the last of samples has its expected duration
	partDTS   int64  // of its first sample
	partTicks int64  // Σ durations of samples that are not pending
	partSync  bool
	sync      int64  // where the newest sample is shown at which decoding can start, ticks
	leading   bool   // what is shown before that needs what was before it
	partEarly int64  // ticks before it is shown
	fragment  uint32 // sequence number of the fragment
	boxes     []byte // of the newest frame, where each is a fragment
	sealed    bool   // the sample before has the duration that was expected, and so the next one begins at end
	end       int64  // of the newest sample, as far as it is known
	expects   uint32 // duration that the newest sample came with
	early     int64  // ticks by which the newest sample is decoded too early, more than a rounding

	// The open segment: a Segment in the making, which no Window has. nil when
	// none is open.
	msn      MSN
	open     *Segment
	expect   int64 // ticks that it should get from its Start on, 0 when that can't be known
	next     int64 // the same of the one behind it
	promise  int64 // where that one starts, ticks, as far as it was foreseen; 0 where it wasn't
	boundary int64 // of the leader alone: the one that it ended a segment at last, ns
	part     int64 // number of the next part

	// Closed ones, oldest first, those from index listed on in the playlist. A
	// list that a Window has is never written again.
	closed []*Segment
	listed int

	partBegan, segmentBegan time.Time // when their first samples came

	// Where samples stay away: see Publication.pace.
	late        lateness
	wrote       bool  // the period has a sample of it
	leastOffset int32 // composition offset of the period's samples, ticks
	away        bool
	trackless   bool  // the encoder has no track for it: no sample will come
	awaySince   int64 // ns

	last struct{ samples, payload int } // what to expect of the next part

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

// begin starts a period. Where the track is the same, so is its header.
func (w *writer) begin(p *Period, t remux.Track, frames bool) {
	h := &Header{Period: p, Track: t}
	w.wrote, w.away, w.trackless = false, false, false
	if w.header != nil && w.header.Track.Same(t) {
		if h.Bytes = w.header.Bytes; h.Bytes != nil {
			h.Before = w.header.Period
		}
	} else {
		w.frameRate = remux.Rational{}
	}
	w.header, w.frames = h, frames
	w.sealed, w.promise = false, 0
}

func (w *writer) duration(ticks int64) time.Duration {
	return time.Duration(nanoseconds(ticks, w.header.Track.Timescale))
}

// follow fits a sample behind the one before, where that was sealed, or where
// the encoder's times are that close. It is decoded a little earlier or later
// than the encoder says and shown exactly when it says, and its own duration
// makes up for the difference.
func (w *writer) follow(s remux.Sample) remux.Sample {
	at := s.DTS
	switch {
	case w.sealed:
		at = w.end
	case w.pending:
		at = max(at, w.partDTS+w.partTicks+1)
	}
	w.sealed = false
	shift := s.DTS - at
	w.early, w.expects = 0, s.Duration
	if w.header.Track.Kind() == remux.Audio {
		// Few players look for a composition offset of audio. It is heard early,
		// by a rounding, or by a unit that was lost.
		s.DTS, s.Duration = at, uint32(max(1, int64(s.Duration)+shift))
		return s
	}
	if shift > int64(w.header.Track.Timescale)/200 {
		w.early = shift
	}
	s.DTS = at
	s.CompositionOffset += int32(shift)
	s.Duration = uint32(max(1, int64(s.Duration)+shift))
	return s
}

// seal leaves the pending sample the duration that was expected, for good.
func (w *writer) seal() {
	w.settleLast()
	w.sealed, w.end = true, w.partDTS+w.partTicks
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
	w.open.Duration += d
}

// flags are those of a sample that is shown at pts.
func (w *writer) flags(s remux.Sample, pts int64) cmaf.Flags {
	switch {
	case s.Sync:
		w.sync, w.leading = pts, s.OpenGOP
		return cmaf.Sync
	case w.leading && pts < w.sync:
		return cmaf.Leading
	}
	return cmaf.NonSync
}

// add puts a sample into the open part, beginning one where there is none.
func (w *writer) add(s remux.Sample) {
	pts := s.DTS + int64(s.CompositionOffset)
	flags := w.flags(s, pts)
	if w.open == nil {
		if n := len(w.closed); (!s.Sync || s.OpenGOP) && n > w.listed && w.closed[n-1].Header == w.header {
			// Pictures are reordered over the cut: it is where the last segment ends.
			pts = w.closed[n-1].PTS + w.closed[n-1].Duration
		}
		w.openSegment(s.DTS, pts, s.Sync)
		w.open.Leading = s.OpenGOP
		if s.Sync {
			w.open.Duration = -w.early // it is shown later, and no longer
		}
	}
	if w.open.Samples == 0 && len(w.samples) == 0 && len(w.open.Parts) > 0 { // it began with gaps
		w.open.DTS, w.open.Independent, w.open.Leading = s.DTS, s.Sync, s.OpenGOP
	}
	if w.open.Independent && w.open.Lead == 0 {
		w.open.PTS = min(w.open.PTS, pts)
	}
	if len(w.samples) == 0 {
		w.open.Tail = 0 // it has gone on
		headroom := 0
		if !w.frames {
			const spare = 4 // samples more than the last part had
			headroom = cmaf.HeaderSize(w.last.samples+spare, true)
		}
		w.draft.open(headroom, w.last.payload*9/8)
		w.partDTS, w.partSync, w.partEarly = s.DTS, false, -w.open.Duration
		if len(w.open.Parts) > 0 {
			w.partEarly = 0
		}
	}
	w.partSync = w.partSync || s.Sync
	if !w.wrote || s.CompositionOffset < w.leastOffset {
		w.leastOffset = s.CompositionOffset
	}
	w.frame, w.wrote = s.Duration, true
	w.end = s.DTS + int64(s.Duration)
	w.samples = append(w.samples, cmaf.Sample{
		Duration:          s.Duration,
		Size:              uint32(len(s.Data)),
		Flags:             flags,
		CompositionOffset: s.CompositionOffset,
	})
	w.pending = true
	if w.frames {
		n := len(w.samples) - 1
		f := w.newFragment(s.DTS, n == 0, len(s.Data))
		w.boxes = f.Append(w.boxes[:0], w.samples[n:])
		w.draft.append(w.boxes)
	}
	w.draft.append(s.Data)
}

// newFragment begins a fragment with the first sample of a part, or another.
func (w *writer) newFragment(dts int64, firstOfPart bool, payload int) cmaf.Fragment {
	w.fragment++
	return cmaf.Fragment{
		Sequence:       w.fragment,
		DecodeTime:     dts,
		StartsSegment:  firstOfPart && w.open.Samples == 0,
		Produced:       nanoseconds(dts, w.header.Track.Timescale),
		SamplesPayload: payload,
	}
}

// expected is the duration of the sample that is pending, if one is.
func (w *writer) expected() int64 {
	if !w.pending {
		return 0
	}
	return int64(w.samples[len(w.samples)-1].Duration)
}

// grow lets what is in the open part be seen: its frames are complete.
func (w *writer) grow() error {
	w.seal()
	if w.header.Bytes == nil {
		return w.makeHeader(w.draft.payload())
	}
	return nil
}

// closePart makes the open part a Part. Its samples must be settled.
func (w *writer) closePart() error {
	if len(w.samples) == 0 {
		return nil
	}
	payload := w.draft.payload()
	if w.header.Bytes == nil {
		if err := w.makeHeader(payload); err != nil {
			return err
		}
	}
	var bytes []byte
	if w.frames {
		bytes = w.draft.close(0, func(dst []byte) []byte { return dst })
	} else {
		f := w.newFragment(w.partDTS, true, payload)
		bytes = w.draft.close(cmaf.HeaderSize(len(w.samples), f.StartsSegment), func(dst []byte) []byte {
			return f.Append(dst, w.samples)
		})
	}
	w.open.Parts = append(w.open.Parts, Part{Number: w.part, Bytes: bytes, Duration: w.partTicks - w.partEarly, Independent: w.partSync})
	w.part++
	w.open.Size += len(bytes)
	w.open.Samples += len(w.samples)
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

// closeSegment makes the open segment a Segment and lists the newest keep.
func (w *writer) closeSegment(keep int) error {
	if err := w.closePart(); err != nil {
		return err
	}
	w.endSegment(keep)
	return nil
}

// carry ends the open segment before the open part, which becomes the first of
// the next segment. Only where decoding can start at any sample.
func (w *writer) carry(keep int) {
	ticks := w.partTicks
	w.open.Duration -= ticks
	next := w.open.PTS + w.open.Duration
	w.endSegment(keep)
	w.openSegment(w.partDTS, next, true)
	w.open.Duration, w.segmentBegan = ticks, w.partBegan
}

// starts is where a segment that begins at pts is said to start: there, or where
// it was foreseen to. Its name was told to players then, so it stays as long as
// it is as good as true.
func (w *writer) starts(pts int64) int64 {
	const frames = 2 // as when audio ends an access unit earlier than its leader
	off := max(pts, w.promise) - min(pts, w.promise)
	if most := int64(w.header.Track.Timescale) / 10; w.promise != 0 && off <= min(frames*int64(w.frame), most) {
		return w.promise
	}
	return pts
}

func (w *writer) openSegment(dts, pts int64, sync bool) {
	w.open = &Segment{MSN: w.msn, Start: w.starts(pts), DTS: dts, PTS: pts, Independent: sync}
	w.promise = 0
	w.open.Parts = w.open.few[:0]
}

func (w *writer) endSegment(keep int) {
	s := w.open
	s.Header = w.header
	w.open = nil
	w.msn++
	if !s.Gap() {
		w.rate.add(s.Size, s.Seconds())
	}
	if w.frameRate == (remux.Rational{}) && !s.Gaps {
		w.frameRate = measureFrameRate(s)
	}
	w.closed = append(w.closed[:len(w.closed):len(w.closed)], s) // a new list, for the next Window
	w.listed = max(w.listed, len(w.closed)-keep)
}

// extent is how long the playlist is.
func (w *writer) extent() time.Duration {
	var d time.Duration
	for _, s := range w.closed[w.listed:] {
		d += s.duration()
	}
	return d
}

// forget drops segments that left the playlist. One stays fetchable after that
// for its own duration and that of the longest playlist that had it (RFC
// 8216bis, section 6.2.2): keep is no less than that.
func (w *writer) forget(keep time.Duration) {
	var newer time.Duration
	for i := w.listed - 1; i >= 0; i-- {
		if newer >= keep {
			w.closed, w.listed = w.closed[i+1:], w.listed-i-1
			return
		}
		newer += w.closed[i].duration()
	}
}

func (w *writer) snapshot(r *Rendition) {
	*r = Rendition{
		ID:        w.id,
		Segments:  w.closed[w.listed:len(w.closed):len(w.closed)],
		Retired:   w.closed[:w.listed:w.listed],
		Open:      w.msn,
		NextPart:  w.part,
		FrameRate: w.frameRate,
		Peak:      w.rate.peak,
		Average:   w.rate.average(),
	}
	if w.open != nil {
		n := len(w.open.Parts)
		r.Parts, r.OpenStart, r.OpenPTS, r.OpenIndependent = w.open.Parts[:n:n], w.open.Start, w.open.PTS, w.open.Independent
		r.OpenLeading = w.open.Leading
		r.ExpectedDuration, r.NextDuration = w.expect, w.next
		r.OpenGap = w.open.Gaps
	}
	r.Away, r.AwaySince = w.away, w.awaySince
	if r.Draft = cap(w.draft.bytes); w.frames {
		r.Draft -= len(w.draft.bytes) // they are in Growing
	}
	if w.header.Bytes != nil {
		r.Header = w.header
	}
	if w.frames && len(w.samples) > 0 {
		r.Growing = w.draft.growing()
	}
}
