// Package dash draws a Window as a DASH manifest (ISO/IEC 23009-1).
package dash

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
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
	m.MaxSegmentDuration = duration(w.Longest())
	m.Periods = periods(w)
	if w.State == packager.Ended {
		m.Type = mpd.Ptr(mpd.STATIC_TYPE)
		last := m.Periods[len(m.Periods)-1]
		end := lastEnd(w)
		last.Duration = duration(end - time.Duration(*last.Start))
		m.MediaPresentationDuration = duration(end)
	} else {
		m.MinimumUpdatePeriod = duration(min(target/2, max(2*w.PartTarget, 400*time.Millisecond)))
		m.TimeShiftBufferDepth = duration(max(w.Extent, 3*target))
		m.ServiceDescription = []*mpd.ServiceDescriptionType{service(w)}
		// For players that know no latency target, and for Shaka: it believes, until
		// it is told not to, that now is where the newest listed segment ends.
		m.SuggestedPresentationDelay = duration(2*target + 2*w.Grain)
	}
	m.UTCTimings = []*mpd.DescriptorType{timing()}
	var b bytes.Buffer
	_, err := m.Write(&b, " ", true)
	return b.Bytes(), err
}

func timing() *mpd.DescriptorType {
	return mpd.NewDescriptor("urn:mpeg:dash:utc:http-iso:2014", TimePath, "")
}

// service says how far behind the clock players should stay (annex K.4): as
// far as those that read HLS parts; where segments can't be listed before they
// are complete, the longest segment more. There is no maximum: dash.js would jump
// there from wherever a viewer went back to.
func service(w *packager.Window) *mpd.ServiceDescriptionType {
	const least = 800 * time.Millisecond // where each frame comes by itself
	target := max(packager.NearLive(w.Grain), least)
	if !foreseen(w) {
		target += w.Longest()
	}
	ms := uint32(target.Milliseconds())
	return &mpd.ServiceDescriptionType{
		Latencies:     []*mpd.LatencyType{{Target: &ms, Min: mpd.Ptr(ms * 3 / 4)}},
		PlaybackRates: []*mpd.PlaybackRateType{{Min: 1, Max: 1.04}},
	}
}

// foreseen tells whether the segments in production can be listed.
func foreseen(w *packager.Window) bool {
	for i := range w.Renditions {
		if r := &w.Renditions[i]; r.ExpectedDuration == 0 && comes(r) && takesPart(w, r) {
			return false
		}
	}
	return true
}

// comes tells whether there is a segment of the rendition in production whose media
// can be foreseen. Sound that is away is: it is silence. A period must list it from its
// beginning on, as players look for a period's renditions only then.
func comes(r *packager.Rendition) bool {
	return r.Header != nil && !r.OpenGap && (!r.Away || len(r.Header.Track.Silence) > 0)
}

// ahead tells whether the segments behind those are listed, too. Players that
// are less than a second behind live begin with a segment before they have a
// manifest that lists it. For others it isn't worth the price: where a period
// ends early, such a segment never comes.
func ahead(w *packager.Window) bool {
	const most = 250 * time.Millisecond
	for i := range w.Renditions {
		if r := &w.Renditions[i]; r.NextDuration == 0 && comes(r) && takesPart(w, r) {
			return false
		}
	}
	return w.Grain <= most
}

// Age is how long a manifest may be cached while the stream lives.
const Age = time.Second

func duration(d time.Duration) *mpd.Duration { return (*mpd.Duration)(&d) }

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
	byID := make(map[act]*mpd.Period)
	acts := make(map[*mpd.Period]act)
	for _, set := range w.Sets() {
		for _, stretch := range stretches(w, set) {
			from := stretch.act()
			p, ok := byID[from]
			if !ok {
				p = mpd.NewPeriod()
				p.Id = from.id()
				p.Start = duration(from.start())
				byID[from], acts[p] = p, from
				out = insert(out, p)
			}
			p.AdaptationSets = append(p.AdaptationSets, adaptationSet(w, set, stretch))
		}
	}
	out = whole(w, out, acts)
	connect(out)
	return out
}

// run is the segments of a rendition in one period, at least one.
type run struct {
	rendition *packager.Rendition
	segments  []listing
}

func (r run) header() *packager.Header { return r.segments[0].header }

// stretch is what a set has in one period: the run of each rendition that has any.
type stretch []run

func (s stretch) act() act { return s[0].segments[0].act }

// stretches returns them for each period, in the order in which they are met.
func stretches(w *packager.Window, set packager.Set) []stretch {
	var all []stretch
	for _, r := range set.Renditions {
		for rest := listed(w, r); len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].header == rest[0].header && rest[n].act == rest[0].act {
				n++
			}
			this := run{r, rest[:n]}
			i := slices.IndexFunc(all, func(s stretch) bool { return s.act() == this.segments[0].act && s[0].rendition != r })
			if i < 0 {
				all = append(all, stretch{this})
			} else {
				all[i] = append(all[i], this)
			}
			rest = rest[n:]
		}
	}
	return all
}

// listing is a segment as the timeline lists it.
type listing struct {
	header   *packager.Header
	act      act
	start    int64 // ticks, as its name says
	pts      int64 // ticks, as it is shown
	duration int64 // ticks, from start on
	sap      uint32
}

// Stream access points (ISO/IEC 14496-12, annex I): what can be said of the first
// picture of a segment.
const (
	sapNone = 0
	sapAll  = 1 // all behind it can be decoded
	sapOpen = 3 // all but some that are shown before it
)

func sap(independent, leading bool) uint32 {
	switch {
	case !independent:
		return sapNone
	case leading:
		return sapOpen
	}
	return sapAll
}

// listed are the closed segments, the one in production where its duration
// can be foreseen, and the one behind it for players that are near live.
func listed(w *packager.Window, r *packager.Rendition) []listing {
	list := make([]listing, 0, len(r.Segments)+2)
	add := func(h *packager.Header, n packager.MSN, start, pts, duration int64, sap uint32) {
		if a, on := actOf(w, r, h, n); on {
			list = append(list, listing{h, a, start, pts, duration, sap})
		}
	}
	for _, s := range r.Segments {
		if !s.Gap() {
			add(s.Header, s.MSN, s.Start, s.PTS, s.PTS+s.Duration-s.Start-s.Tail, sap(s.Independent, s.Leading))
		}
	}
	// One that has gaps is listed when it is complete: how much of it is media
	// shows only then.
	if w.State != packager.Ended && foreseen(w) && comes(r) {
		add(r.Header, r.Open, r.OpenStart, r.OpenPTS, r.ExpectedDuration, sap(r.OpenIndependent, r.OpenLeading))
		if ahead(w) {
			next := r.OpenStart + r.ExpectedDuration
			add(r.Header, r.Open+1, next, next, r.NextDuration, sap(true, r.OpenLeading))
		}
	}
	return inOrder(list)
}

// inOrder lets each segment end where the next one starts, and leaves out those of
// which nothing is shown: a timeline goes one way.
func inOrder(list []listing) []listing {
	out := list[:0]
	for _, next := range list {
		// Where timestamps stood still, pictures are shown behind those that came later.
		for n := len(out); n > 0 && out[n-1].header == next.header && next.start <= out[n-1].start; n-- {
			out = out[:n-1]
		}
		if n := len(out); n > 0 {
			out[n-1].meet(next)
		}
		out = append(out, next)
	}
	return slices.DeleteFunc(out, func(l listing) bool { return l.duration <= 0 })
}

// meet lets a segment end where the next one starts. Parts end where their last
// frame should, which is a rounding away from where the next one is shown.
func (l *listing) meet(next listing) {
	rounding := int64(l.header.Track.Timescale) / 200
	off := next.pts - l.start - l.duration
	overlaps := next.start < l.start+l.duration // where timestamps stood still
	if l.header == next.header && (off >= -rounding && off <= rounding || overlaps && next.start > l.start) {
		l.duration = next.start - l.start
	}
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

// adaptationSet draws what a set has in one period. Where it is a single rendition,
// what is said of its segments is said of the set.
func adaptationSet(w *packager.Window, set packager.Set, s stretch) *mpd.AdaptationSetType {
	h := s[0].header()
	t := h.Track
	a := mpd.NewAdaptationSetWithParams(t.Kind().String(), t.Kind().String()+"/mp4", set.Aligned, 1)
	a.Id = mpd.Ptr(uint32(set.Number))
	a.Lang = t.Language
	a.StartWithSAP = startWithSAP(s)
	if s.act().from == 0 && !slices.ContainsFunc(s, func(r run) bool { return r.header().Before == nil }) { // one decoder plays both
		a.SupplementalProperties = connected(periodID(h.Before))
	}
	if channels := w.Captions.Channels(); t.Kind() == remux.Video && len(channels) > 0 {
		// The language is one that nobody says (SCTE 214-1, section 8.2.1).
		value := strings.Join(channels, "=und;") + "=und"
		a.Accessibilities = []*mpd.DescriptorType{mpd.NewDescriptor("urn:scte:dash:cc:cea-608:2015", value, "")}
	}
	a.SupplementalProperties = append(a.SupplementalProperties, colours(&t.Picture)...)
	a.Roles = []*mpd.DescriptorType{mpd.NewRole(role(w, set))}
	if t.Name != "" && len(s) == 1 {
		a.Labels = []*mpd.LabelType{{Value: t.Name}}
	}
	for _, r := range s {
		a.Representations = append(a.Representations, representation(r))
	}
	if t.Kind() == remux.Video && len(s) > 1 {
		bounds(w, a, s)
	}
	if len(s) == 1 {
		a.SegmentTemplate = template(w, &a.RepresentationBaseType, s[0])
		return a
	}
	for i, rep := range a.Representations {
		rep.SegmentTemplate = template(w, &rep.RepresentationBaseType, s[i])
	}
	return a
}

// bounds says what of a set's Representations a player can ask before it looks at them,
// and what they are called. No bitstreamSwitching is said: each has a header of its own.
func bounds(w *packager.Window, a *mpd.AdaptationSetType, s stretch) {
	var fastest remux.Rational
	names := w.QualityNames()
	for i, r := range s {
		rep := a.Representations[i]
		a.MaxWidth, a.MaxHeight = max(a.MaxWidth, rep.Width), max(a.MaxHeight, rep.Height)
		if f := r.rendition.FrameRate; f.Den > 0 && uint64(f.Num)*uint64(max(fastest.Den, 1)) > uint64(fastest.Num)*uint64(f.Den) {
			fastest = f
		}
		if name := names[r.rendition.ID]; name != "" {
			rep.Labels = []*mpd.LabelType{{Value: name}}
		}
	}
	if fastest.Den > 0 {
		a.MaxFrameRate = string(frameRate(fastest))
	}
}

// role is what the first set of a kind is for, and what those are that viewers may
// choose instead.
func role(w *packager.Window, set packager.Set) string {
	for i := range w.Renditions {
		r := &w.Renditions[i]
		if r == set.Renditions[0] {
			break
		}
		if r.Newest() != nil && r.Newest().Track.Kind() == set.Kind() {
			return "alternate"
		}
	}
	return "main"
}

// colours are the code points of a picture (ISO/IEC 23091-2) that isn't what every
// screen shows. Players that don't know them play it all the same.
func colours(p *remux.Picture) []*mpd.DescriptorType {
	const wide = 9 // primaries of ITU-R BT.2020
	c := p.Colour
	if c == nil || p.Range() == remux.SDR && c.Primaries != wide {
		return nil
	}
	property := func(name string, code uint8) *mpd.DescriptorType {
		return mpd.NewDescriptor("urn:mpeg:mpegB:cicp:"+name, fmt.Sprint(code), "")
	}
	return []*mpd.DescriptorType{
		property("ColourPrimaries", c.Primaries), property("TransferCharacteristics", c.Transfer), property("MatrixCoefficients", c.Matrix),
	}
}

// representation draws what is said of a rendition, but for its segments.
func representation(r run) *mpd.RepresentationType {
	t := r.header().Track
	rep := mpd.NewRepresentation()
	rep.Id = string(r.rendition.ID)
	rep.Codecs = t.Codecs
	peak, _ := r.rendition.Bandwidth()
	rep.Bandwidth = uint32(max(peak, 1))
	if p := t.Picture; p.Width > 0 {
		rep.Width, rep.Height = uint32(p.Width), uint32(p.Height)
		if p.SAR[0] > 0 && p.SAR[1] > 0 {
			rep.Sar = mpd.RatioType(fmt.Sprintf("%d:%d", p.SAR[0], p.SAR[1]))
		}
		if f := r.rendition.FrameRate; f.Den > 0 {
			rep.FrameRate = frameRate(f)
		}
	}
	if s := t.Sound; s.SampleRate > 0 {
		rep.AudioSamplingRate = mpd.Ptr(mpd.UIntVectorType(fmt.Sprint(s.SampleRate)))
		rep.AudioChannelConfigurations = channels(s)
		if s.Objects > 0 { // ETSI TS 103 420, annex D
			rep.SupplementalProperties = []*mpd.DescriptorType{
				mpd.NewDescriptor("tag:dolby.com,2018:dash:EC3_ExtensionType:2018", "JOC", ""),
				mpd.NewDescriptor("tag:dolby.com,2018:dash:EC3_ExtensionComplexityIndex:2018", fmt.Sprint(s.Objects), ""),
			}
		}
	}
	return rep
}

// channels says how many there are, by the scheme that belongs to the codec. Players
// take a value of MPEG DASH's own scheme for their number; it is a number of a layout,
// too (ISO/IEC 23003-3, table 68). Where those differ, it is told by the scheme that
// nobody takes for anything else.
func channels(s remux.Sound) []*mpd.DescriptorType {
	var scheme, value string
	switch {
	case s.Dolby != 0:
		scheme, value = mpd.AUDIO_CHANNEL_CONFIGURATION_DOLBY, fmt.Sprintf("%04X", s.Dolby)
	case s.Layout == 0:
		return nil
	case s.Layout == s.Channels:
		scheme, value = mpd.AUDIO_CHANNEL_CONFIGURATION_MPEG_DASH, fmt.Sprint(s.Layout)
	default:
		scheme, value = mpd.AUDIO_CHANNEL_CONFIGURATION_CICP, fmt.Sprint(s.Layout)
	}
	return []*mpd.DescriptorType{mpd.NewDescriptor(scheme, value, "")}
}

// lowLatency tells players that segments can be read while they are produced.
// Former periods say so, too: Shaka takes the least that any of them says.
func lowLatency(w *packager.Window, a *mpd.RepresentationBaseType, t *mpd.SegmentTemplateType, segment int64) {
	timescale := int64(*t.Timescale)
	// Available from the first part on, and not said to be so any earlier.
	early := time.Duration(segment/timescale*1e9+segment%timescale*1e9/timescale) - w.Grain
	t.AvailabilityTimeOffset = mpd.FloatInf64(float64(max(0, early.Milliseconds())) / 1000)
	t.AvailabilityTimeComplete = mpd.Ptr(false)
	presentation := *t.PresentationTimeOffset
	a.ProducerReferenceTimes = []*mpd.ProducerReferenceTimeType{{
		Inband:           true,
		Type:             "encoder",
		WallClockTime:    time.UnixMilli((int64(presentation)*1000 + timescale/2) / timescale).UTC().Format(mpd.RFC3339MS),
		PresentationTime: presentation,
		UTCTiming:        timing(),
	}}
	a.Resyncs = []*mpd.ResyncType{{DT: mpd.Ptr(uint32((int64(w.Grain)*timescale + 5e8) / 1e9))}}
}

func frameRate(f remux.Rational) mpd.FrameRateType {
	if f.Den == 1 {
		return mpd.FrameRateType(fmt.Sprint(f.Num))
	}
	return mpd.FrameRateType(fmt.Sprintf("%d/%d", f.Num, f.Den))
}

// startWithSAP is what can be said of all segments alike.
func startWithSAP(s stretch) uint32 {
	common := uint32(sapAll)
	for _, r := range s {
		for _, l := range r.segments {
			if l.sap == sapNone {
				return sapNone
			}
			common = max(common, l.sap)
		}
	}
	return common
}

// template lists each segment's true duration: encoders' GOPs are free. What it says of
// the newest is said of the Representation, or AdaptationSet, that it is for.
func template(w *packager.Window, of *mpd.RepresentationBaseType, r run) *mpd.SegmentTemplateType {
	h := r.header()
	timescale := h.Track.Timescale
	offset := uint64(r.segments[0].act.start().Milliseconds()) * uint64(timescale) / 1000
	t := mpd.NewSegmentTemplate()
	t.Timescale = &timescale
	t.PresentationTimeOffset = &offset
	t.Initialization = "$RepresentationID$/" + h.Name()
	t.Media = "$RepresentationID$/" + packager.MediaTemplate(h.Period, "$Time$")
	line := mpd.NewSegmentTimeline()
	var last *mpd.S
	var next int64
	for i, s := range r.segments {
		if i > 0 && s.start == next && last.D == uint64(s.duration) {
			last.R++
		} else {
			last = &mpd.S{D: uint64(s.duration)}
			if i == 0 || s.start != next {
				last.T = mpd.Ptr(uint64(s.start))
			}
			line.S = append(line.S, last)
		}
		next = s.start + s.duration
	}
	t.SegmentTimeline = line
	if w.State != packager.Ended {
		lowLatency(w, of, t, r.segments[len(r.segments)-1].duration)
	}
	return t
}
