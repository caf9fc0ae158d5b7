package packager

import (
	"time"

	"github.com/sluice-live/sluice/packager/cmaf"
	"github.com/sluice-live/sluice/remux"
)

// openPart is the part of a rendition that is in production. Times and durations
// are ticks of its track.
type openPart struct {
	timescale uint32
	perFrame  bool // each frame is a fragment of its own

	samples []cmaf.Sample
	dts     int64 // of the first sample
	settled int64 // Σ durations of samples, but for a newest one that is pending
	early   int64 // how much of that is before it is shown, or in a gap that was told
	tail    int64 // the gap in front of it that the segment would end with without it
	draft   draft
	sync    bool // it has a sample where decoding can start

	began    time.Time
	number   int64                          // over all segments
	sequence uint32                         // of the newest fragment
	boxes    []byte                         // of the newest frame, where each is a fragment
	before   struct{ samples, payload int } // of the part before: what to expect
}

// empty tells that it has no sample.
func (p *openPart) empty() bool { return len(p.samples) == 0 }

// add copies a sample into it. early is how much of the part is before it is shown, or in a gap
// that was told, if this is the first; startsSegment tells that no part with samples is before it in the
// segment.
func (p *openPart) add(s *remux.Sample, flags cmaf.Flags, early int64, startsSegment bool) {
	if p.empty() {
		headroom := 0
		if !p.perFrame {
			const spare = 4 // samples more than the last part had
			headroom = cmaf.HeaderSize(p.before.samples+spare, true)
		}
		p.draft.open(headroom, p.before.payload*9/8)
		p.dts, p.sync, p.early = s.DTS, false, early
	}
	p.sync = p.sync || s.Sync
	p.samples = append(p.samples, cmaf.Sample{
		Duration:          s.Duration,
		Size:              uint32(len(s.Data)),
		Flags:             flags,
		CompositionOffset: s.CompositionOffset,
	})
	if p.perFrame {
		n := len(p.samples) - 1
		f := p.fragment(s.DTS, startsSegment && n == 0, len(s.Data))
		p.boxes = f.Append(p.boxes[:0], p.samples[n:])
		p.draft.append(p.boxes)
	}
	p.draft.append(s.Data)
}

// fragment is the next one.
func (p *openPart) fragment(dts int64, startsSegment bool, payload int) cmaf.Fragment {
	p.sequence++
	return cmaf.Fragment{
		Sequence:       p.sequence,
		DecodeTime:     dts,
		StartsSegment:  startsSegment,
		Produced:       nanoseconds(dts, p.timescale),
		SamplesPayload: payload,
	}
}

// close ends it and returns it. Its samples must be settled, and there must be one.
// It is the next part then, without a sample.
func (p *openPart) close(startsSegment bool) Part {
	payload := p.draft.payload()
	var bytes []byte
	if p.perFrame {
		bytes = p.draft.close(0, func(dst []byte) []byte { return dst })
	} else {
		f := p.fragment(p.dts, startsSegment, payload)
		bytes = p.draft.close(cmaf.HeaderSize(len(p.samples), startsSegment), func(dst []byte) []byte {
			return f.Append(dst, p.samples)
		})
	}
	done := Part{Number: p.number, Bytes: bytes, Duration: max(0, p.settled-p.early), Independent: p.sync}
	p.number++
	p.before.samples, p.before.payload = len(p.samples), payload
	p.samples, p.settled = p.samples[:0], 0
	return done
}

// gap is a part of that duration without bytes. There must be no sample.
func (p *openPart) gap(duration int64) Part {
	done := Part{Number: p.number, Duration: duration, Gap: true}
	p.number++
	return done
}
