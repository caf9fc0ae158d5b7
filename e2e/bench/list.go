//go:build linux

package main

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// list is what a viewer reads of a media playlist.
type list struct {
	first    int // media sequence number
	segments []string
	parts    int // of the segment in production
	hint     string
}

// reload is the query that waits for the next part.
func (l list) reload() string {
	return fmt.Sprintf("?_HLS_msn=%d&_HLS_part=%d", l.first+len(l.segments), l.parts)
}

func parseList(text string) (list, error) {
	var l list
	var err error
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		tag, value, _ := strings.Cut(line, ":")
		switch tag {
		case "#EXT-X-MEDIA-SEQUENCE":
			l.first, err = strconv.Atoi(value)
		case "#EXT-X-PART":
			l.parts++
		case "#EXT-X-PRELOAD-HINT":
			_, l.hint, _ = strings.Cut(value, `URI="`)
			l.hint, _, _ = strings.Cut(l.hint, `"`)
		default:
			if line != "" && line[0] != '#' {
				l.segments, l.parts = append(l.segments, line), 0
			}
		}
		if err != nil {
			return l, fmt.Errorf("%q: %w", line, err)
		}
	}
	if len(l.segments) == 0 {
		return l, fmt.Errorf("a playlist without segments: %.80q", text)
	}
	return l, nil
}

// manifest is what a viewer reads of an MPD: segments by number, on a timeline.
type manifest struct {
	Periods []struct {
		Sets []struct {
			Representation struct {
				ID string `xml:"id,attr"`
			} `xml:"Representation"`
			Template struct {
				Media    string `xml:"media,attr"`
				First    int    `xml:"startNumber,attr"`
				Timeline []struct {
					Repeat int `xml:"r,attr"`
				} `xml:"SegmentTimeline>S"`
			} `xml:"SegmentTemplate"`
		} `xml:"AdaptationSet"`
	} `xml:"Period"`
}

// newest returns the name of the newest segment of the first set and, with other
// numbers, those of all others.
func parseManifest(text string) (name func(number int) string, newest int, err error) {
	var m manifest
	if err := xml.Unmarshal([]byte(text), &m); err != nil {
		return nil, 0, err
	}
	if len(m.Periods) == 0 || len(m.Periods[len(m.Periods)-1].Sets) == 0 {
		return nil, 0, fmt.Errorf("a manifest without segments: %.80q", text)
	}
	set := m.Periods[len(m.Periods)-1].Sets[0]
	newest = set.Template.First - 1
	for _, s := range set.Template.Timeline {
		newest += 1 + s.Repeat
	}
	return func(number int) string {
		return strings.NewReplacer("$RepresentationID$", set.Representation.ID, "$Number$", strconv.Itoa(number)).Replace(set.Template.Media)
	}, newest, nil
}
