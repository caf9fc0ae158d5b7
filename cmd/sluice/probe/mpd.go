package probe

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
)

// maxListed bounds the segments that one Representation may list: half a day.
const maxListed = 25_000

// manifest is an MPD as far as a player needs it.
type manifest struct {
	live     bool
	start    time.Time     // availabilityStartTime: the zero of its times
	update   time.Duration // until it must be asked for again; 0: never
	longest  time.Duration // maxSegmentDuration, 0 when it isn't there
	location *url.URL      // where to ask next time; nil: at the same place
	streams  []*dashStream
}

// dashStream is the Representation that is played of one AdaptationSet.
type dashStream struct {
	key      string // video 1: the same in the next Period continues it
	codecs   string
	segments []dashSegment
}

// dashSegment is a line of a SegmentTimeline, or what a @duration amounts to.
type dashSegment struct {
	period   string
	url      *url.URL
	header   *url.URL
	begin    time.Duration // since manifest.start
	duration time.Duration
	media    time.Duration // of its first picture, on the media's own timeline
	offset   time.Duration // from the media's timeline to that of the manifest
	exact    bool          // media and duration are listed, not a rough pattern
}

func (s dashSegment) end() time.Duration { return s.begin + s.duration }

// parseMPD reads the manifest that was at base.
func parseMPD(body []byte, base *url.URL, now time.Time) (*manifest, error) {
	m, err := mpd.MPDFromBytes(body)
	if err != nil {
		return nil, fmt.Errorf("MPD: %w", err)
	}
	out := &manifest{live: m.GetType() == mpd.DYNAMIC_TYPE, longest: durationOf(m.MaxSegmentDuration)}
	if out.live {
		if out.start, err = parseTime(string(m.AvailabilityStartTime)); err != nil {
			return nil, fmt.Errorf("MPD: availabilityStartTime: %w", err)
		}
		if m.MinimumUpdatePeriod != nil {
			out.update = max(durationOf(m.MinimumUpdatePeriod), 500*time.Millisecond)
		}
	}
	if len(m.Location) > 0 {
		if out.location, err = base.Parse(string(m.Location[0].Value)); err != nil {
			return nil, fmt.Errorf("MPD: Location: %w", err)
		}
	}
	if base, err = resolve(base, m.BaseURL); err != nil {
		return nil, fmt.Errorf("MPD: %w", err)
	}
	var begin time.Duration
	for i, p := range m.Periods {
		if p.Start != nil {
			begin = durationOf(p.Start)
		}
		end := begin + durationOf(p.Duration)
		switch {
		case p.Duration != nil:
		case i+1 < len(m.Periods) && m.Periods[i+1].Start != nil:
			end = durationOf(m.Periods[i+1].Start)
		case m.MediaPresentationDuration != nil:
			end = durationOf(m.MediaPresentationDuration)
		default:
			end = 0 // open
		}
		if err := out.addPeriod(p, base, begin, end, now); err != nil {
			return nil, fmt.Errorf("MPD: Period %d: %w", i+1, err)
		}
		begin = end
	}
	return out, nil
}

func durationOf(d *mpd.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}

// parseTime reads an xs:dateTime; without a zone it is taken as UTC.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		if local, e := time.Parse("2006-01-02T15:04:05", s); e == nil {
			return local, nil
		}
	}
	return t, err
}

func resolve(base *url.URL, list []*mpd.BaseURLType) (*url.URL, error) {
	if len(list) == 0 {
		return base, nil
	}
	u, err := base.Parse(strings.TrimSpace(string(list[0].Value)))
	if err != nil {
		return nil, fmt.Errorf("BaseURL: %w", err)
	}
	return u, nil
}

// addPeriod adds the best Representation of each AdaptationSet. end is 0
// while the Period goes on.
func (m *manifest) addPeriod(p *mpd.Period, base *url.URL, begin, end time.Duration, now time.Time) error {
	base, err := resolve(base, p.BaseURLs)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%s@%v", p.Id, begin)
	number := make(map[string]int)
	for _, a := range p.AdaptationSets {
		var best *mpd.RepresentationType
		for _, r := range a.Representations {
			if best == nil || r.Bandwidth > best.Bandwidth {
				best = r
			}
		}
		if best == nil {
			continue
		}
		kind := kindOf(a, best)
		number[kind]++
		s := m.stream(fmt.Sprintf("%s %d", kind, number[kind]))
		s.codecs = cmp.Or(best.Codecs, a.Codecs)
		where := func(err error) error { return fmt.Errorf("representation %s: %w", best.Id, err) }
		base, err := resolve(base, a.BaseURLs)
		if err != nil {
			return where(err)
		}
		if base, err = resolve(base, best.BaseURLs); err != nil {
			return where(err)
		}
		t := mergeTemplates(best.SegmentTemplate, a.SegmentTemplate, p.SegmentTemplate)
		list, err := m.list(t, best, base, id, begin, end, now)
		if err != nil {
			return where(err)
		}
		s.segments = append(s.segments, list...)
	}
	return nil
}

func (m *manifest) stream(key string) *dashStream {
	for _, s := range m.streams {
		if s.key == key {
			return s
		}
	}
	s := &dashStream{key: key}
	m.streams = append(m.streams, s)
	return s
}

func kindOf(a *mpd.AdaptationSetType, r *mpd.RepresentationType) string {
	if a.ContentType != "" {
		return string(a.ContentType)
	}
	kind, _, _ := strings.Cut(cmp.Or(a.MimeType, r.MimeType, "unknown"), "/")
	return kind
}

// mergeTemplates takes each attribute from the innermost element that has it
// (ISO/IEC 23009-1, section 5.3.9.1).
func mergeTemplates(inner ...*mpd.SegmentTemplateType) *mpd.SegmentTemplateType {
	var out mpd.SegmentTemplateType
	for _, t := range inner {
		if t == nil {
			continue
		}
		out.Media = cmp.Or(out.Media, t.Media)
		out.Initialization = cmp.Or(out.Initialization, t.Initialization)
		out.Timescale = cmp.Or(out.Timescale, t.Timescale)
		out.Duration = cmp.Or(out.Duration, t.Duration)
		out.StartNumber = cmp.Or(out.StartNumber, t.StartNumber)
		out.EndNumber = cmp.Or(out.EndNumber, t.EndNumber)
		out.PresentationTimeOffset = cmp.Or(out.PresentationTimeOffset, t.PresentationTimeOffset)
		out.SegmentTimeline = cmp.Or(out.SegmentTimeline, t.SegmentTimeline)
	}
	return &out
}

// list turns a template into segments.
func (m *manifest) list(t *mpd.SegmentTemplateType, r *mpd.RepresentationType, base *url.URL, period string, begin, end time.Duration, now time.Time) ([]dashSegment, error) {
	if t.Media == "" || t.SegmentTimeline == nil && t.Duration == nil {
		return nil, errors.New("only SegmentTemplate with SegmentTimeline or @duration is understood")
	}
	timescale := int64(t.GetTimescale())
	if timescale == 0 {
		return nil, errors.New("a timescale of 0")
	}
	var header *url.URL
	if t.Initialization != "" {
		var err error
		if header, err = base.Parse(fillTemplate(t.Initialization, r, 0, 0)); err != nil {
			return nil, fmt.Errorf("initialization: %w", err)
		}
	}
	number, offset := int64(1), int64(0)
	if t.StartNumber != nil {
		number = int64(*t.StartNumber)
	}
	if t.PresentationTimeOffset != nil {
		offset = int64(*t.PresentationTimeOffset)
	}
	at := func(media int64) time.Duration { return begin + ticks(media-offset, int(timescale)) }
	var list []dashSegment
	errTooMany := fmt.Errorf("more than %d segments", maxListed)
	add := func(number, media, duration int64) error {
		if len(list) == maxListed {
			return errTooMany
		}
		u, err := base.Parse(fillTemplate(t.Media, r, number, media))
		if err != nil {
			return fmt.Errorf("media: %w", err)
		}
		list = append(list, dashSegment{
			period: period, url: u, header: header,
			begin:    at(media),
			duration: at(media+duration) - at(media),
			media:    ticks(media, int(timescale)),
			offset:   at(media) - ticks(media, int(timescale)),
			exact:    t.SegmentTimeline != nil,
		})
		return nil
	}

	if t.SegmentTimeline == nil {
		if *t.Duration == 0 {
			return nil, errors.New("a @duration of 0")
		}
		each := int64(*t.Duration)
		from, to := m.pattern(ticks(each, int(timescale)), begin, end, now)
		if t.EndNumber != nil {
			to = min(to, int64(*t.EndNumber)-number+1)
		}
		for i := from; i < to; i++ {
			if err := add(number+i, offset+i*each, each); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	media := int64(0)
	for i, s := range t.SegmentTimeline.S {
		if s.T != nil {
			media = int64(*s.T)
		}
		if s.D == 0 {
			return nil, errors.New("SegmentTimeline: an S without @d")
		}
		if s.R > maxListed {
			return nil, errTooMany
		}
		for k := 0; k <= s.R || s.R < 0; k++ {
			if s.R < 0 && m.repeated(t.SegmentTimeline.S[i+1:], media, at, end, now) {
				break
			}
			if err := add(number, media, int64(s.D)); err != nil {
				return nil, err
			}
			number++
			media += int64(s.D)
		}
	}
	return list, nil
}

// repeated tells whether an S with a negative @r is over: the next one, the
// Period's end, or the present ends it.
func (m *manifest) repeated(next []*mpd.S, media int64, at func(int64) time.Duration, end time.Duration, now time.Time) bool {
	switch {
	case len(next) > 0 && next[0].T != nil:
		return media >= int64(*next[0].T)
	case end > 0:
		return at(media) >= end
	}
	return !m.live || at(media) >= now.Sub(m.start)
}

// pattern tells which segments of a fixed duration, counted from the begin of
// the Period, can be had: all of a recording, the last few of a live stream.
func (m *manifest) pattern(each, begin, end time.Duration, now time.Time) (from, to int64) {
	if each <= 0 {
		return 0, 0
	}
	if end > 0 {
		to = int64((end - begin + each - 1) / each)
	}
	if m.live {
		present := int64((now.Sub(m.start) - begin) / each)
		if end == 0 || present < to {
			to = max(present, 0)
		}
		from = max(0, to-2*startDistance)
	}
	return from, to
}

var templateField = regexp.MustCompile(`\$(RepresentationID|Number|Time|Bandwidth|)(?:%0(\d{1,2})d)?\$`)

// fillTemplate replaces the identifiers of a template (ISO/IEC 23009-1, section 5.3.9.4.4).
func fillTemplate(template string, r *mpd.RepresentationType, number, media int64) string {
	return templateField.ReplaceAllStringFunc(template, func(field string) string {
		m := templateField.FindStringSubmatch(field)
		width, _ := strconv.Atoi(m[2])
		switch m[1] {
		case "RepresentationID":
			return r.Id
		case "Number":
			return fmt.Sprintf("%0*d", width, number)
		case "Time":
			return fmt.Sprintf("%0*d", width, media)
		case "Bandwidth":
			return fmt.Sprintf("%0*d", width, r.Bandwidth)
		}
		return "$"
	})
}
