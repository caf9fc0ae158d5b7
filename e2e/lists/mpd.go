package lists

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

// Manifest is an MPD.
type Manifest struct {
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
	Periods                    []Period  `xml:"Period"`
	UTCTimings                 []struct {
		Scheme string `xml:"schemeIdUri,attr"`
		Value  string `xml:"value,attr"`
	} `xml:"UTCTiming"`

	Base *url.URL `xml:"-"` // that it came from
}

// Period, AdaptationSet, Representation and Template are its elements.
type Period struct {
	ID             string          `xml:"id,attr"`
	Start          string          `xml:"start,attr"`
	Duration       string          `xml:"duration,attr"`
	AdaptationSets []AdaptationSet `xml:"AdaptationSet"`
}

type AdaptationSet struct {
	ID              string           `xml:"id,attr"`
	ContentType     string           `xml:"contentType,attr"`
	MimeType        string           `xml:"mimeType,attr"`
	Template        *Template        `xml:"SegmentTemplate"`
	Representations []Representation `xml:"Representation"`
}

type Representation struct {
	ID                string    `xml:"id,attr"`
	Codecs            string    `xml:"codecs,attr"`
	Bandwidth         int       `xml:"bandwidth,attr"`
	Width             int       `xml:"width,attr"`
	Height            int       `xml:"height,attr"`
	FrameRate         string    `xml:"frameRate,attr"`
	AudioSamplingRate string    `xml:"audioSamplingRate,attr"`
	Template          *Template `xml:"SegmentTemplate"`
}

type Template struct {
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

// Track is one Representation of one Period, with its segments spelled out.
type Track struct {
	Period      string
	ContentType string
	Rep         Representation
	Header      string // URL
	Timescale   int64
	Early       float64 // availabilityTimeOffset, in seconds
	Segments    []MPDSegment
}

// Same allows, at each end of a segment, what the rounding of RTMP's milliseconds
// does where it meets the one before or the next one.
func (t Track) Same(was, is MPDSegment) bool { return t.SameWithin(5*time.Millisecond, was, is) }

// SameWithin allows as much as it is told.
func (t Track) SameWithin(slack time.Duration, was, is MPDSegment) bool {
	start, end := was.Time-is.Time, was.Time+was.Duration-is.Time-is.Duration
	off := max(start, -start, end, -end)
	return was.URI == is.URI && off <= t.Timescale*slack.Milliseconds()/1000
}

// MPDSegment is one of a Track.
type MPDSegment struct {
	URI            string
	Time, Duration int64         // ticks
	At             time.Duration // on the presentation's timeline
	Available      time.Time
}

// ParseMPD reads a manifest that came from base; without one, URLs are taken as they
// are written.
func ParseMPD(base string, body []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := xml.Unmarshal(body, m); err != nil {
		return nil, err
	}
	u, err := url.Parse(base)
	m.Base = u
	return m, err
}

// Tracks expands every SegmentTimeline (ISO/IEC 23009-1, 5.3.9.6).
func (m *Manifest) Tracks() ([]Track, error) {
	var out []Track
	for _, p := range m.Periods {
		start, err := ParseDuration(p.Start)
		if err != nil {
			return nil, fmt.Errorf("Period %s: start: %w", p.ID, err)
		}
		for _, a := range p.AdaptationSets {
			for _, r := range a.Representations {
				tr, err := m.track(p, a, r, start)
				if err != nil {
					return nil, err
				}
				out = append(out, tr)
			}
		}
	}
	return out, nil
}

// track spells out one Representation.
func (m *Manifest) track(p Period, a AdaptationSet, r Representation, start time.Duration) (tr Track, err error) {
	t := r.Template
	if t == nil {
		t = a.Template
	}
	if t == nil || t.Timeline == nil || t.Timescale == 0 {
		return tr, fmt.Errorf("Representation %s: no SegmentTemplate with timescale and SegmentTimeline", r.ID)
	}
	tr = Track{Period: p.ID, ContentType: a.ContentType, Rep: r, Timescale: t.Timescale, Early: t.AvailabilityTimeOffset}
	if tr.Header, err = m.expand(t.Initialization, r, 0, 0); err != nil {
		return tr, err
	}
	tr.Segments, err = m.segments(t, r, start)
	return tr, err
}

// Last returns the first track of the n-th set of the last period.
func (m *Manifest) Last(n int) (Track, error) {
	if len(m.Periods) == 0 {
		return Track{}, errors.New("a manifest without periods")
	}
	p := m.Periods[len(m.Periods)-1]
	if n >= len(p.AdaptationSets) || len(p.AdaptationSets[n].Representations) == 0 {
		return Track{}, fmt.Errorf("Period %s has no track in set %d", p.ID, n)
	}
	start, err := ParseDuration(p.Start)
	if err != nil {
		return Track{}, fmt.Errorf("Period %s: start: %w", p.ID, err)
	}
	return m.track(p, p.AdaptationSets[n], p.AdaptationSets[n].Representations[0], start)
}

func (m *Manifest) segments(t *Template, r Representation, start time.Duration) ([]MPDSegment, error) {
	var out []MPDSegment
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
			out = append(out, MPDSegment{uri, at, s.D, start + offset, m.AvailabilityStartTime.Add(start + offset + early)})
			number++
			at += s.D
		}
	}
	return out, nil
}

var identifier = regexp.MustCompile(`\$([A-Za-z]*)(?:%0(\d+)d)?\$`)

// expand puts values in the place of a template's identifiers.
func (m *Manifest) expand(pattern string, r Representation, number, at int64) (string, error) {
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
	if *m.Base == (url.URL{}) {
		return u.String(), nil // as it is written
	}
	return m.Base.ResolveReference(u).String(), nil
}

var durationPattern = regexp.MustCompile(`^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?$`)

// ParseDuration reads an xs:duration without days, which have no fixed length
// for all parsers, and exactly.
func ParseDuration(s string) (time.Duration, error) {
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
	"AdaptationSet":             {[]string{"id", "contentType", "mimeType"}, []string{"AudioChannelConfiguration", "ContentProtection", "EssentialProperty", "SupplementalProperty", "InbandEventStream", "Label", "ProducerReferenceTime", "Resync", "Accessibility", "Role", "SegmentTemplate", "Representation"}},
	"Representation":            {[]string{"id", "bandwidth", "codecs"}, []string{"AudioChannelConfiguration", "ContentProtection", "EssentialProperty", "SupplementalProperty", "Label", "ProducerReferenceTime", "Resync", "BaseURL", "SegmentTemplate"}},
	"SegmentTemplate":           {[]string{"timescale", "media", "initialization"}, []string{"SegmentTimeline"}},
	"SegmentTimeline":           {nil, []string{"S"}},
	"S":                         {[]string{"d"}, nil},
	"Resync":                    {[]string{"dT"}, nil},
	"ProducerReferenceTime":     {[]string{"id", "wallClockTime", "presentationTime"}, []string{"UTCTiming"}},
	"AudioChannelConfiguration": {[]string{"schemeIdUri"}, nil},
	"Label":                     {nil, nil},
	"Role":                      {[]string{"schemeIdUri"}, nil},
	"UTCTiming":                 {[]string{"schemeIdUri"}, nil},
	"EssentialProperty":         {[]string{"schemeIdUri"}, nil},
	"SupplementalProperty":      {[]string{"schemeIdUri"}, nil},
}

// CheckStructure looks at the order of elements and at required attributes.
func CheckStructure(body []byte) error {
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

// Check checks what a schema can't say.
func (m *Manifest) Check() error {
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
	longest, err := ParseDuration(m.MaxSegmentDuration)
	if err != nil {
		return err
	}
	tracks, err := m.Tracks()
	if err != nil {
		return err
	}
	if len(tracks) == 0 {
		return errors.New("no Representation")
	}
	ids := make(map[string]bool)
	for _, t := range tracks {
		if id := t.Period + "/" + t.Rep.ID; ids[id] {
			return fmt.Errorf("Representation %s twice", id)
		} else {
			ids[id] = true
		}
		if len(t.Segments) == 0 {
			return fmt.Errorf("Representation %s has no segment", t.Rep.ID)
		}
		for _, s := range t.Segments {
			if d := time.Duration(s.Duration) * time.Second / time.Duration(t.Timescale); d > longest {
				return fmt.Errorf("%s lasts %v, maxSegmentDuration is %v", s.URI, d, longest)
			}
		}
	}
	return nil
}
