// Package dash draws a Window as a DASH manifest (ISO/IEC 23009-1).
package dash

import (
	"bytes"
	"fmt"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// ContentType is the MIME type of manifests (annex C).
const ContentType = "application/dash+xml"

// availabilityStart is the zero of every timeline: media times are wall clock
// times, so it is a constant, whatever encoders and restarts do.
const availabilityStart = "1970-01-01T00:00:00Z"

// TimePath is where a manifest's players ask for the time, relative to it.
const TimePath = "../../time"

// MPD draws the manifest of a Window that is playable.
func MPD(w *packager.Window) ([]byte, error) {
	target := time.Duration(w.TargetDuration) * time.Second
	m := mpd.NewMPD(mpd.DYNAMIC_TYPE)
	m.Id = w.Stream.String()
	m.Profiles = mpd.PROFILE_LIVE + "," + mpd.PROFILE_CMAF
	m.AvailabilityStartTime = availabilityStart
	m.PublishTime = mpd.ConvertToDateTimeMS(w.Changed.UnixMilli())
	m.MinBufferTime = duration(target)
	// Manifests have milliseconds, and rounding down would be a false promise.
	m.MaxSegmentDuration = duration(longestSegment(w).Truncate(time.Millisecond) + time.Millisecond)
	m.Periods = periods(w)
	if w.Ended {
		m.Type = mpd.Ptr(mpd.STATIC_TYPE)
		last := m.Periods[len(m.Periods)-1]
		end := lastEnd(w)
		last.Duration = duration(end - time.Duration(*last.Start))
		m.MediaPresentationDuration = duration(end)
	} else {
		m.MinimumUpdatePeriod = duration(max(time.Second, target/2))
		m.TimeShiftBufferDepth = duration(max(w.Extent, 3*target))
		m.SuggestedPresentationDelay = duration(3 * target)
	}
	m.UTCTimings = []*mpd.DescriptorType{mpd.NewDescriptor("urn:mpeg:dash:utc:http-iso:2014", TimePath, "")}
	var b bytes.Buffer
	_, err := m.Write(&b, " ", true)
	return b.Bytes(), err
}

// Age is how long a manifest may be cached while the stream lives.
const Age = time.Second

func duration(d time.Duration) *mpd.Duration { return (*mpd.Duration)(&d) }

func longestSegment(w *packager.Window) time.Duration {
	longest := time.Duration(w.TargetDuration) * time.Second
	for _, r := range w.Renditions {
		for _, s := range r.Segments {
			longest = max(longest, time.Duration(s.Seconds()*float64(time.Second)))
		}
	}
	return longest
}

// lastEnd is where the presentation ends, since availabilityStart.
func lastEnd(w *packager.Window) time.Duration {
	var end time.Duration
	for _, r := range w.Renditions {
		if n := len(r.Segments); n > 0 {
			s := r.Segments[n-1]
			end = max(end, time.Duration(s.Header.Time(s.PTS+s.Duration).UnixNano()))
		}
	}
	return end
}

// periods draws each Period that a listed segment is of.
func periods(w *packager.Window) []*mpd.Period {
	var out []*mpd.Period
	byID := make(map[*packager.Period]*mpd.Period)
	for i := range w.Renditions {
		r := &w.Renditions[i]
		for rest := r.Segments; len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].Header == rest[0].Header {
				n++
			}
			from := rest[0].Header.Period
			p, ok := byID[from]
			if !ok {
				p = mpd.NewPeriod()
				p.Id = "p" + from.ID
				p.Start = duration(start(from))
				byID[from] = p
				out = insert(out, p)
			}
			p.AdaptationSets = append(p.AdaptationSets, adaptationSet(uint32(i+1), r, rest[:n]))
			rest = rest[n:]
		}
	}
	return out
}

// insert keeps periods in the order of their starts: a rendition that came
// late may bring an older one.
func insert(list []*mpd.Period, p *mpd.Period) []*mpd.Period {
	i := len(list)
	for i > 0 && *list[i-1].Start > *p.Start {
		i--
	}
	return append(list[:i], append([]*mpd.Period{p}, list[i:]...)...)
}

// start is Period@start: milliseconds are what a manifest writes.
func start(p *packager.Period) time.Duration {
	return time.Duration(p.Start).Truncate(time.Millisecond)
}

// adaptationSet draws the segments of one rendition in one period.
func adaptationSet(id uint32, r *packager.Rendition, list []*packager.Segment) *mpd.AdaptationSetType {
	h := list[0].Header
	t := h.Track
	a := mpd.NewAdaptationSetWithParams(t.Kind().String(), t.Kind().String()+"/mp4", true, 1)
	a.Id = &id
	if !startsWithSAP(list) {
		a.StartWithSAP = 0
	}
	a.Roles = []*mpd.DescriptorType{mpd.NewRole("main")}
	rep := mpd.NewRepresentation()
	rep.Id = string(r.ID)
	rep.Codecs = t.Codec.String()
	rep.Bandwidth = uint32(max(r.Peak, 1))
	switch c := t.Codec.(type) {
	case *remux.H264:
		rep.Width, rep.Height = uint32(c.Width), uint32(c.Height)
		if c.SAR[0] > 0 && c.SAR[1] > 0 {
			rep.Sar = mpd.RatioType(fmt.Sprintf("%d:%d", c.SAR[0], c.SAR[1]))
		}
		if f := r.FrameRate; f.Den > 0 {
			rep.FrameRate = frameRate(f)
		}
	case *remux.AAC:
		rep.AudioSamplingRate = mpd.Ptr(mpd.UIntVectorType(fmt.Sprint(c.SampleRate)))
		rep.AudioChannelConfigurations = []*mpd.DescriptorType{
			mpd.NewDescriptor(mpd.AUDIO_CHANNEL_CONFIGURATION_MPEG_DASH, fmt.Sprint(c.Channels), ""),
		}
	}
	a.Representations = []*mpd.RepresentationType{rep}
	a.SegmentTemplate = template(h, list)
	return a
}

func frameRate(f remux.Rational) mpd.FrameRateType {
	if f.Den == 1 {
		return mpd.FrameRateType(fmt.Sprint(f.Num))
	}
	return mpd.FrameRateType(fmt.Sprintf("%d/%d", f.Num, f.Den))
}

func startsWithSAP(list []*packager.Segment) bool {
	for _, s := range list {
		if !s.Independent {
			return false
		}
	}
	return true
}

// template lists each segment's true duration: encoders' GOPs are free.
func template(h *packager.Header, list []*packager.Segment) *mpd.SegmentTemplateType {
	timescale := h.Track.Timescale
	offset := uint64(start(h.Period).Milliseconds()) * uint64(timescale) / 1000
	t := mpd.NewSegmentTemplate()
	t.Timescale = &timescale
	t.PresentationTimeOffset = &offset
	t.StartNumber = mpd.Ptr(uint32(list[0].MSN))
	t.Initialization = "$RepresentationID$/" + h.Name()
	t.Media = "$RepresentationID$/" + packager.MediaTemplate(h.Period, "$Number$")
	line := mpd.NewSegmentTimeline()
	var last *mpd.S
	var next int64
	for i, s := range list {
		if i > 0 && s.PTS == next && last.D == uint64(s.Duration) {
			last.R++
		} else {
			last = &mpd.S{D: uint64(s.Duration)}
			if i == 0 || s.PTS != next {
				last.T = mpd.Ptr(uint64(s.PTS))
			}
			line.S = append(line.S, last)
		}
		next = s.PTS + s.Duration
	}
	t.SegmentTimeline = line
	return t
}
