package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// playlist is what a viewer reads of a media playlist.
type playlist struct {
	sequence, discontinuity int64
	segments                []listed
	header                  string
	parts                   []string // of the segment in production
	hint                    string
	ended                   bool
}

type listed struct{ uri, header string }

// next is the number of the segment in production.
func (p *playlist) next() int64 { return p.sequence + int64(len(p.segments)) }

func parsePlaylist(text string) (*playlist, error) {
	if !strings.HasPrefix(text, "#EXTM3U\n") {
		return nil, fmt.Errorf("no playlist: %.40q", text)
	}
	p := &playlist{sequence: -1}
	var err error
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		tag, value, _ := strings.Cut(line, ":")
		switch tag {
		case "#EXT-X-MEDIA-SEQUENCE":
			p.sequence, err = strconv.ParseInt(value, 10, 64)
		case "#EXT-X-DISCONTINUITY-SEQUENCE":
			p.discontinuity, err = strconv.ParseInt(value, 10, 64)
		case "#EXT-X-MAP":
			p.header = attribute(value, "URI")
		case "#EXT-X-PART":
			p.parts = append(p.parts, attribute(value, "URI"))
		case "#EXT-X-PRELOAD-HINT":
			p.hint = attribute(value, "URI")
		case "#EXT-X-ENDLIST":
			p.ended = true
		default:
			if line != "" && line[0] != '#' {
				p.segments = append(p.segments, listed{line, p.header})
				p.parts = nil
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if p.sequence < 0 || len(p.segments) == 0 {
		return nil, fmt.Errorf("a playlist without a number, or without segments")
	}
	return p, nil
}

func attribute(list, name string) string {
	_, rest, _ := strings.Cut(list, name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// manifest is what a viewer reads of an MPD.
type manifest struct {
	Type    string `xml:"type,attr"`
	Periods []struct {
		ID   string `xml:"id,attr"`
		Sets []struct {
			Template struct {
				Media    string `xml:"media,attr"`
				Init     string `xml:"initialization,attr"`
				Timeline []struct {
					T *int64 `xml:"t,attr"`
					D int64  `xml:"d,attr"`
					R int    `xml:"r,attr"`
				} `xml:"SegmentTimeline>S"`
			} `xml:"SegmentTemplate"`
			Representation struct {
				ID string `xml:"id,attr"`
			} `xml:"Representation"`
		} `xml:"AdaptationSet"`
	} `xml:"Period"`
}

// newest returns the header and the URLs of the last segments of the n-th set of
// the last period.
func (m *manifest) newest(n, most int) (header string, urls []string) {
	if len(m.Periods) == 0 {
		return "", nil
	}
	p := m.Periods[len(m.Periods)-1]
	if n >= len(p.Sets) {
		return "", nil
	}
	t := p.Sets[n].Template
	fill := func(s, at string) string {
		return strings.NewReplacer("$RepresentationID$", p.Sets[n].Representation.ID, "$Time$", at).Replace(s)
	}
	at := int64(0)
	for _, s := range t.Timeline {
		if s.T != nil {
			at = *s.T
		}
		for range s.R + 1 {
			urls = append(urls, fill(t.Media, strconv.FormatInt(at, 10)))
			at += s.D
		}
	}
	return fill(t.Init, ""), urls[max(0, len(urls)-most):]
}

// holdTime is the longest that the server lets anybody wait.
const holdTime = 7 * time.Second
