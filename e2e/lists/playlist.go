// Package lists reads playlists and manifests as a viewer does. It shares no code, and
// so no mistake, with what writes them, and no library of theirs. All that looks at
// the server from outside reads by it: tests, simulation, soak and bench.
package lists

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Playlist is a media playlist. What stands in it is taken as it is written; Strict
// takes nothing that a player would have to forgive.
type Playlist struct {
	Version                          int
	Target                           int     // seconds
	PartTarget                       float64 // seconds
	Sequence, Discontinuity, Skipped int64   // −1 where the first two are not told
	Segments                         []Segment
	Open                             Segment // in production: of it, there are parts at most
	Hint                             string  // URI of what comes next
	Ended                            bool
	Unknown                          []string // tags
}

// Segment is one of a Playlist.
type Segment struct {
	MSN, Discontinuity int64
	Breaks             bool // a discontinuity is in front of it
	URI, Header        string
	Duration           float64 // seconds
	Text               string  // of the duration: it must not change
	Date               time.Time
	Parts              []Part
	Gap                bool // there is nothing to fetch
}

// Part is one of a Segment.
type Part struct {
	URI              string
	Duration         float64 // seconds
	Independent, Gap bool
}

// Gaps is how many seconds of a segment are gaps, as far as its parts are listed.
func (s *Segment) Gaps() (seconds float64) {
	for _, part := range s.Parts {
		if part.Gap {
			seconds += part.Duration
		}
	}
	return seconds
}

// Next is the number of the segment in production.
func (p *Playlist) Next() int64 { return p.Sequence + p.Skipped + int64(len(p.Segments)) }

// Seconds is how long all segments last.
func (p *Playlist) Seconds() (sum float64) {
	for _, s := range p.Segments {
		sum += s.Duration
	}
	return sum
}

// Parse reads a media playlist, as cheaply as a viewer among thousands has to.
func Parse(text string) (*Playlist, error) {
	if !strings.HasPrefix(text, "#EXTM3U") {
		return nil, fmt.Errorf("no playlist: %.40q", text)
	}
	p := &Playlist{Sequence: -1, Discontinuity: -1}
	var s Segment
	var discontinuities int64
	place := func() {
		s.MSN, s.Discontinuity = p.Next(), p.Discontinuity+discontinuities
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if line[0] != '#' {
			s.URI = line
			place()
			p.Segments = append(p.Segments, s)
			s = Segment{Header: s.Header}
			continue
		}
		tag, value, _ := strings.Cut(line, ":")
		var err error
		switch tag {
		case "#EXTM3U", "#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-SERVER-CONTROL", "#EXT-X-RENDITION-REPORT":
		case "#EXT-X-VERSION":
			p.Version, err = strconv.Atoi(value)
		case "#EXT-X-TARGETDURATION":
			p.Target, err = strconv.Atoi(value)
		case "#EXT-X-PART-INF":
			p.PartTarget, err = strconv.ParseFloat(Attribute(value, "PART-TARGET"), 64)
		case "#EXT-X-MEDIA-SEQUENCE":
			p.Sequence, err = strconv.ParseInt(value, 10, 64)
		case "#EXT-X-DISCONTINUITY-SEQUENCE":
			p.Discontinuity, err = strconv.ParseInt(value, 10, 64)
		case "#EXT-X-SKIP":
			p.Skipped, err = strconv.ParseInt(Attribute(value, "SKIPPED-SEGMENTS"), 10, 64)
		case "#EXT-X-DISCONTINUITY":
			s.Breaks = true
			discontinuities++
		case "#EXT-X-MAP":
			s.Header = Attribute(value, "URI")
		case "#EXT-X-PROGRAM-DATE-TIME":
			s.Date, err = time.Parse(time.RFC3339, value)
		case "#EXTINF":
			s.Text, _, _ = strings.Cut(value, ",")
			s.Duration, err = strconv.ParseFloat(s.Text, 64)
		case "#EXT-X-PART":
			part := Part{URI: Attribute(value, "URI"), Independent: Attribute(value, "INDEPENDENT") == "YES", Gap: Attribute(value, "GAP") == "YES"}
			part.Duration, err = strconv.ParseFloat(Attribute(value, "DURATION"), 64)
			s.Parts = append(s.Parts, part)
		case "#EXT-X-PRELOAD-HINT":
			p.Hint = Attribute(value, "URI")
		case "#EXT-X-GAP":
			s.Gap = true
		case "#EXT-X-ENDLIST":
			p.Ended = true
		default:
			if strings.HasPrefix(tag, "#EXT") {
				p.Unknown = append(p.Unknown, line)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
	}
	if p.Sequence < 0 {
		return nil, fmt.Errorf("no media sequence number: %.80q", text)
	}
	place()
	p.Open = s
	return p, nil
}

// Attribute returns the value of a name in an attribute list, or nothing.
func Attribute(list, name string) string {
	for rest := list; rest != ""; {
		key, value, ok := strings.Cut(rest, "=")
		if !ok {
			return ""
		}
		if strings.HasPrefix(value, `"`) {
			value, rest, _ = strings.Cut(value[1:], `"`)
			rest = strings.TrimPrefix(rest, ",")
		} else {
			value, rest, _ = strings.Cut(value, ",")
		}
		if key == name {
			return value
		}
	}
	return ""
}
