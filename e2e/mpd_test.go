package e2e

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A small reader of DASH manifests, of our own so that it shares no mistake
// with the library that wrote them.

type manifest struct {
	Type                       string    `xml:"type,attr"`
	Profiles                   string    `xml:"profiles,attr"`
	AvailabilityStartTime      time.Time `xml:"availabilityStartTime,attr"`
	PublishTime                time.Time `xml:"publishTime,attr"`
	MinimumUpdatePeriod        string    `xml:"minimumUpdatePeriod,attr"`
	MediaPresentationDuration  string    `xml:"mediaPresentationDuration,attr"`
	MinBufferTime              string    `xml:"minBufferTime,attr"`
	MaxSegmentDuration         string    `xml:"maxSegmentDuration,attr"`
	TimeShiftBufferDepth       string    `xml:"timeShiftBufferDepth,attr"`
	SuggestedPresentationDelay string    `xml:"suggestedPresentationDelay,attr"`
	Periods                    []period  `xml:"Period"`
	UTCTimings                 []struct {
		Scheme string `xml:"schemeIdUri,attr"`
		Value  string `xml:"value,attr"`
	} `xml:"UTCTiming"`

	base *url.URL
}

type period struct {
	ID             string          `xml:"id,attr"`
	Start          string          `xml:"start,attr"`
	Duration       string          `xml:"duration,attr"`
	AdaptationSets []adaptationSet `xml:"AdaptationSet"`
}

type adaptationSet struct {
	ID              string           `xml:"id,attr"`
	ContentType     string           `xml:"contentType,attr"`
	MimeType        string           `xml:"mimeType,attr"`
	Template        *template        `xml:"SegmentTemplate"`
	Representations []representation `xml:"Representation"`
}

type representation struct {
	ID                string    `xml:"id,attr"`
	Codecs            string    `xml:"codecs,attr"`
	Bandwidth         int       `xml:"bandwidth,attr"`
	Width             int       `xml:"width,attr"`
	Height            int       `xml:"height,attr"`
	FrameRate         string    `xml:"frameRate,attr"`
	AudioSamplingRate string    `xml:"audioSamplingRate,attr"`
	Template          *template `xml:"SegmentTemplate"`
}

type template struct {
	Timescale              int64   `xml:"timescale,attr"`
	StartNumber            *int64  `xml:"startNumber,attr"`
	PresentationTimeOffset int64   `xml:"presentationTimeOffset,attr"`
	AvailabilityTimeOffset float64 `xml:"availabilityTimeOffset,attr"`
	Initialization         string  `xml:"initialization,attr"`
	Media                  string  `xml:"media,attr"`
	Timeline               *struct {
		S []struct {
			T *int64 `xml:"t,attr"`
			D int64  `xml:"d,attr"`
			R int64  `xml:"r,attr"`
		} `xml:"S"`
	} `xml:"SegmentTimeline"`
}

// track is one Representation of one Period, with its segments spelled out.
type track struct {
	period      string
	contentType string
	rep         representation
	header      string // URL
	timescale   int64
	segments    []dashSegment
}

// same allows, at each end of a segment, what the rounding of RTMP's milliseconds
// does where it meets the one before or the next one.
func (t track) same(was, is dashSegment) bool {
	start, end := was.time-is.time, was.time+was.duration-is.time-is.duration
	off := max(start, -start, end, -end)
	return was.uri == is.uri && off <= t.timescale/200
}

type dashSegment struct {
	uri            string
	time, duration int64         // ticks
	at             time.Duration // on the presentation's timeline
	available      time.Time
}

func parseMPD(base string, body []byte) (*manifest, error) {
	m := new(manifest)
	if err := xml.Unmarshal(body, m); err != nil {
		return nil, err
	}
	u, err := url.Parse(base)
	m.base = u
	return m, err
}

// tracks expands every SegmentTimeline (ISO/IEC 23009-1, 5.3.9.6).
func (m *manifest) tracks() ([]track, error) {
	var out []track
	for _, p := range m.Periods {
		start, err := parseDuration(p.Start)
		if err != nil {
			return nil, fmt.Errorf("Period %s: start: %w", p.ID, err)
		}
		for _, a := range p.AdaptationSets {
			for _, r := range a.Representations {
				t := r.Template
				if t == nil {
					t = a.Template
				}
				if t == nil || t.Timeline == nil || t.Timescale == 0 {
					return nil, fmt.Errorf("Representation %s: no SegmentTemplate with timescale and SegmentTimeline", r.ID)
				}
				tr := track{period: p.ID, contentType: a.ContentType, rep: r, timescale: t.Timescale}
				if tr.header, err = m.expand(t.Initialization, r, 0, 0); err != nil {
					return nil, err
				}
				if tr.segments, err = m.segments(t, r, start); err != nil {
					return nil, err
				}
				out = append(out, tr)
			}
		}
	}
	return out, nil
}

func (m *manifest) segments(t *template, r representation, start time.Duration) ([]dashSegment, error) {
	var out []dashSegment
	number, at := int64(1), int64(0)
	if t.StartNumber != nil {
		number = *t.StartNumber
	}
	for i, s := range t.Timeline.S {
		if s.T != nil {
			if i > 0 && *s.T < at {
				return nil, fmt.Errorf("Representation %s: S@t %d lies before the end of the S before it", r.ID, *s.T)
			}
			at = *s.T
		} else if i == 0 {
			return nil, fmt.Errorf("Representation %s: the first S has no t", r.ID)
		}
		if s.D <= 0 || s.R < 0 {
			return nil, fmt.Errorf("Representation %s: S@d %d, S@r %d", r.ID, s.D, s.R)
		}
		for range s.R + 1 {
			uri, err := m.expand(t.Media, r, number, at)
			if err != nil {
				return nil, err
			}
			since := at - t.PresentationTimeOffset
			offset := time.Duration(since/t.Timescale)*time.Second + time.Duration(since%t.Timescale)*time.Second/time.Duration(t.Timescale)
			early := time.Duration((float64(s.D)/float64(t.Timescale) - t.AvailabilityTimeOffset) * 1e9)
			out = append(out, dashSegment{uri, at, s.D, start + offset, m.AvailabilityStartTime.Add(start + offset + early)})
			number++
			at += s.D
		}
	}
	return out, nil
}

var identifier = regexp.MustCompile(`\$([A-Za-z]*)(?:%0(\d+)d)?\$`)

// expand puts values in the place of a template's identifiers.
func (m *manifest) expand(pattern string, r representation, number, at int64) (string, error) {
	var bad error
	path := identifier.ReplaceAllStringFunc(pattern, func(s string) string {
		id := identifier.FindStringSubmatch(s)
		width, _ := strconv.Atoi(id[2])
		switch id[1] {
		case "RepresentationID":
			return r.ID
		case "Bandwidth":
			return fmt.Sprintf("%0*d", width, r.Bandwidth)
		case "Number":
			return fmt.Sprintf("%0*d", width, number)
		case "Time":
			return fmt.Sprintf("%0*d", width, at)
		case "":
			return "$"
		}
		bad = fmt.Errorf("template %q: %s", pattern, s)
		return ""
	})
	u, err := url.Parse(path)
	if err != nil || bad != nil {
		return "", errors.Join(err, bad)
	}
	return m.base.ResolveReference(u).String(), nil
}

var durationPattern = regexp.MustCompile(`^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?$`)

// parseDuration reads an xs:duration without days, which have no fixed length
// for all parsers, and exactly.
func parseDuration(s string) (time.Duration, error) {
	m := durationPattern.FindStringSubmatch(s)
	if m == nil || s == "PT" {
		return 0, fmt.Errorf("duration %q", s)
	}
	number := func(i int) time.Duration {
		n, _ := strconv.ParseInt(m[i], 10, 64)
		return time.Duration(n)
	}
	d := number(1)*time.Hour + number(2)*time.Minute
	if whole, fraction, _ := strings.Cut(m[3], "."); m[3] != "" {
		seconds, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			return 0, err
		}
		nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		if err != nil {
			return 0, err
		}
		d += time.Duration(seconds)*time.Second + time.Duration(nanos)
	}
	return d, nil
}

// structure is the part of the MPEG schema that sluice uses: what must be on
// an element, and in which order its children come.
var structure = map[string]struct {
	required []string
	children []string
}{
	"MPD":                       {[]string{"profiles", "minBufferTime"}, []string{"ProgramInformation", "BaseURL", "Location", "PatchLocation", "ServiceDescription", "InitializationSet", "ContentProtection", "Period", "Metrics", "EssentialProperty", "SupplementalProperty", "UTCTiming", "LeapSecondInformation"}},
	"ServiceDescription":        {nil, []string{"Scope", "Latency", "PlaybackRate"}},
	"Scope":                     {[]string{"schemeIdUri"}, nil},
	"Latency":                   {nil, nil},
	"PlaybackRate":              {nil, nil},
	"Period":                    {[]string{"id", "start"}, []string{"BaseURL", "SegmentTemplate", "AssetIdentifier", "EventStream", "AdaptationSet"}},
	"AdaptationSet":             {[]string{"id", "contentType", "mimeType"}, []string{"AudioChannelConfiguration", "ContentProtection", "EssentialProperty", "SupplementalProperty", "InbandEventStream", "ProducerReferenceTime", "Resync", "Accessibility", "Role", "SegmentTemplate", "Representation"}},
	"Representation":            {[]string{"id", "bandwidth", "codecs"}, []string{"AudioChannelConfiguration", "ContentProtection", "SupplementalProperty", "BaseURL", "SegmentTemplate"}},
	"SegmentTemplate":           {[]string{"timescale", "media", "initialization"}, []string{"SegmentTimeline"}},
	"SegmentTimeline":           {nil, []string{"S"}},
	"S":                         {[]string{"d"}, nil},
	"Resync":                    {[]string{"dT"}, nil},
	"ProducerReferenceTime":     {[]string{"id", "wallClockTime", "presentationTime"}, []string{"UTCTiming"}},
	"AudioChannelConfiguration": {[]string{"schemeIdUri"}, nil},
	"Role":                      {[]string{"schemeIdUri"}, nil},
	"UTCTiming":                 {[]string{"schemeIdUri"}, nil},
	"EssentialProperty":         {[]string{"schemeIdUri"}, nil},
	"SupplementalProperty":      {[]string{"schemeIdUri"}, nil},
}

// checkStructure looks at the order of elements and at required attributes.
func checkStructure(body []byte) error {
	const namespace = "urn:mpeg:dash:schema:mpd:2011"
	type open struct {
		name string
		at   int // index of the last child's name in the order
	}
	var path []open
	for d := xml.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch e := token.(type) {
		case xml.StartElement:
			rule, known := structure[e.Name.Local]
			if !known || e.Name.Space != namespace {
				return fmt.Errorf("element %s in %q", e.Name.Local, e.Name.Space)
			}
			for _, r := range rule.required {
				if !slices.ContainsFunc(e.Attr, func(a xml.Attr) bool { return a.Name.Local == r && a.Value != "" }) {
					return fmt.Errorf("%s has no %s", e.Name.Local, r)
				}
			}
			if n := len(path); n > 0 {
				parent := &path[n-1]
				i := slices.Index(structure[parent.name].children, e.Name.Local)
				if i < parent.at {
					return fmt.Errorf("%s is not allowed in %s at this place", e.Name.Local, parent.name)
				}
				parent.at = i
			} else if e.Name.Local != "MPD" {
				return fmt.Errorf("the root is %s", e.Name.Local)
			}
			path = append(path, open{name: e.Name.Local})
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

// checkMPD checks what a schema can't say.
func (m *manifest) check() error {
	if m.AvailabilityStartTime.IsZero() || m.PublishTime.IsZero() {
		return errors.New("wants availabilityStartTime and publishTime")
	}
	if !strings.Contains(m.Profiles, "urn:mpeg:dash:profile:isoff-live:2011") {
		return fmt.Errorf("profiles %q", m.Profiles)
	}
	switch m.Type {
	case "dynamic":
		if m.MinimumUpdatePeriod == "" || len(m.UTCTimings) == 0 || m.MediaPresentationDuration != "" {
			return errors.New("dynamic: wants minimumUpdatePeriod and UTCTiming, and no mediaPresentationDuration")
		}
	case "static":
		if m.MinimumUpdatePeriod != "" || m.MediaPresentationDuration == "" || m.TimeShiftBufferDepth != "" {
			return errors.New("static: wants mediaPresentationDuration, and no minimumUpdatePeriod and timeShiftBufferDepth")
		}
	default:
		return fmt.Errorf("type %q", m.Type)
	}
	longest, err := parseDuration(m.MaxSegmentDuration)
	if err != nil {
		return err
	}
	tracks, err := m.tracks()
	if err != nil {
		return err
	}
	if len(tracks) == 0 {
		return errors.New("no Representation")
	}
	ids := make(map[string]bool)
	for _, t := range tracks {
		if id := t.period + "/" + t.rep.ID; ids[id] {
			return fmt.Errorf("Representation %s twice", id)
		} else {
			ids[id] = true
		}
		if len(t.segments) == 0 {
			return fmt.Errorf("Representation %s has no segment", t.rep.ID)
		}
		for _, s := range t.segments {
			if d := time.Duration(s.duration) * time.Second / time.Duration(t.timescale); d > longest {
				return fmt.Errorf("%s lasts %v, maxSegmentDuration is %v", s.uri, d, longest)
			}
		}
	}
	return nil
}

// mpdHistory checks each version of a manifest against the one before.
type mpdHistory struct {
	last *manifest
}

func (h *mpdHistory) add(m *manifest) error {
	before := h.last
	h.last = m
	if err := m.check(); err != nil || before == nil {
		return err
	}
	if !m.AvailabilityStartTime.Equal(before.AvailabilityStartTime) {
		return errors.New("availabilityStartTime changed")
	}
	if m.PublishTime.Before(before.PublishTime) {
		return fmt.Errorf("publishTime %s was %s", m.PublishTime, before.PublishTime)
	}
	if before.Type == "static" && m.Type != "static" {
		return errors.New("dynamic again")
	}
	old, err := before.tracks()
	if err != nil {
		return err
	}
	now, err := m.tracks()
	if err != nil {
		return err
	}
	changed := m.Type != before.Type
	for _, a := range old {
		for _, b := range now {
			if a.period != b.period || a.rep.ID != b.rep.ID {
				continue
			}
			if a.header != b.header || a.timescale != b.timescale {
				return fmt.Errorf("Representation %s changed within its Period", a.rep.ID)
			}
			changed = changed || len(a.segments) != len(b.segments) || a.segments[0] != b.segments[0]
			byURI := make(map[string]dashSegment)
			for _, s := range a.segments {
				byURI[s.uri] = s
			}
			for _, s := range a.segments[max(0, len(a.segments)-2):] {
				delete(byURI, s.uri) // in production, and the one behind: they were foreseen
			}
			for _, s := range b.segments {
				if was, ok := byURI[s.uri]; ok && !a.same(was, s) {
					return fmt.Errorf("segment %+v was %+v", s, was)
				}
			}
		}
	}
	if changed && m.PublishTime.Equal(before.PublishTime) {
		return fmt.Errorf("the content changed, publishTime %s did not", m.PublishTime)
	}
	return nil
}
