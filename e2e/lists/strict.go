package lists

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Strict reads and checks a media playlist that came from base (RFC 8216bis): what a
// player would forgive is a fault here. URIs are resolved.
func Strict(base string, body []byte) (*Playlist, error) {
	all, err := lines(body)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	l := linter{once: make(map[string]bool)}
	for i, line := range all {
		if err := l.line(line); err != nil {
			return nil, fmt.Errorf("line %d, %q: %w", i+2, line, err)
		}
	}
	for _, tag := range []string{"VERSION", "TARGETDURATION", "MEDIA-SEQUENCE"} {
		if !l.once[tag] {
			return nil, fmt.Errorf("no EXT-X-%s", tag)
		}
	}
	if l.extinf {
		return nil, errors.New("the last EXTINF has no URI")
	}
	p, err := Parse(strings.ReplaceAll(string(body), "\r\n", "\n"))
	if err != nil {
		return nil, err
	}
	if len(p.Unknown) > 0 {
		return nil, fmt.Errorf("tags that this reader does not know: %q", p.Unknown)
	}
	r := resolver{base: u}
	for i := range p.Segments {
		s := &p.Segments[i]
		s.URI, s.Header = r.resolve(s.URI), r.resolve(s.Header)
		r.parts(s.Parts)
	}
	r.parts(p.Open.Parts)
	if r.err != nil {
		return nil, r.err
	}
	return p, p.check()
}

// linter looks at the lines of a media playlist, one after the other.
type linter struct {
	once          map[string]bool // tags that may be there once
	segments      bool            // there has been one
	extinf        bool            // of the next segment
	header, dated bool            // of it
}

func (l *linter) line(line string) error {
	if !strings.HasPrefix(line, "#") {
		return l.segment()
	}
	name, value, _ := strings.Cut(strings.TrimPrefix(line, "#"), ":")
	if !strings.HasPrefix(name, "EXT") {
		return nil // a comment
	}
	name = strings.TrimPrefix(name, "EXT-X-")
	switch name {
	case "VERSION", "TARGETDURATION", "MEDIA-SEQUENCE", "DISCONTINUITY-SEQUENCE", "INDEPENDENT-SEGMENTS", "SERVER-CONTROL", "PART-INF", "ENDLIST":
		if l.once[name] {
			return errors.New("a second time")
		}
		l.once[name] = true
		if l.segments && name != "ENDLIST" {
			return errors.New("behind a segment") // section 4.4.3.2 and 3, and hls.js gives up
		}
	}
	switch name {
	case "PART-INF":
		return decimals(value, "PART-TARGET")
	case "SERVER-CONTROL":
		_, err := Attributes(value)
		return err
	case "EXTINF":
		text, _, comma := strings.Cut(value, ",")
		if !comma || l.extinf {
			return errors.New("EXTINF without a comma, or two for one segment")
		}
		l.extinf = true
		_, err := ParseDecimal(text)
		return err
	case "MAP":
		l.header = true
		_, err := Attributes(value)
		return err
	case "PROGRAM-DATE-TIME":
		l.dated = true
		_, err := time.Parse("2006-01-02T15:04:05.000Z07:00", value)
		return err
	case "PART":
		return decimals(value, "DURATION")
	case "PRELOAD-HINT", "RENDITION-REPORT":
		a, err := Attributes(value)
		if err == nil && a["URI"] == "" {
			err = errors.New("no URI")
		}
		return err
	}
	return nil
}

func decimals(list, name string) error {
	a, err := Attributes(list)
	if err == nil {
		_, err = ParseDecimal(a[name])
	}
	return err
}

func (l *linter) segment() error {
	switch {
	case l.once["ENDLIST"]:
		return errors.New("a segment behind EXT-X-ENDLIST")
	case !l.extinf:
		return errors.New("a segment without EXTINF")
	case !l.header:
		return errors.New("a segment without EXT-X-MAP")
	case !l.dated:
		return errors.New("a segment without EXT-X-PROGRAM-DATE-TIME")
	}
	l.segments, l.extinf, l.dated = true, false, false
	return nil
}

// resolver insists on relative URIs: absolute ones tie a playlist to one host.
type resolver struct {
	base *url.URL
	err  error
}

func (r *resolver) resolve(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || uri == "" || u.IsAbs() || u.Host != "" {
		r.err = fmt.Errorf("URI %q: empty, broken or not relative", uri)
		return ""
	}
	return r.base.ResolveReference(u).String()
}

func (r *resolver) parts(parts []Part) {
	for i := range parts {
		parts[i].URI = r.resolve(parts[i].URI)
	}
}

// lines checks what all playlists have in common (sections 4.1 and 4.4.1).
func lines(body []byte) ([]string, error) {
	text := string(body)
	switch {
	case !utf8.ValidString(text):
		return nil, errors.New("not UTF-8")
	case strings.HasPrefix(text, "\ufeff"):
		return nil, errors.New("a byte order mark")
	case !strings.HasSuffix(text, "\n"):
		return nil, errors.New("the last line does not end")
	case strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 && r != '\n' && r != '\r' || r == 0x7F }):
		return nil, errors.New("control characters")
	}
	all := strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	if all[0] != "#EXTM3U" {
		return nil, fmt.Errorf("begins with %q", all[0])
	}
	for _, l := range all {
		if l == "" || strings.TrimSpace(l) != l {
			return nil, fmt.Errorf("line %q: white space that does not belong", l)
		}
	}
	return all[1:], nil
}

var attributePattern = regexp.MustCompile(`^([A-Z0-9-]+)=("[^"]*"|[^",\s]+)(?:,|$)`)

// Attributes reads an attribute list (section 4.2).
func Attributes(list string) (map[string]string, error) {
	out := make(map[string]string)
	for rest := list; rest != ""; {
		m := attributePattern.FindStringSubmatch(rest)
		if m == nil || strings.HasSuffix(list, ",") {
			return nil, fmt.Errorf("attribute list %q", list)
		}
		if _, twice := out[m[1]]; twice {
			return nil, fmt.Errorf("attribute %s twice in %q", m[1], list)
		}
		out[m[1]] = strings.Trim(m[2], `"`)
		rest = rest[len(m[0]):]
	}
	return out, nil
}

var decimalFloat = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// ParseDecimal reads a decimal number, and nothing else that looks like one.
func ParseDecimal(s string) (float64, error) {
	if !decimalFloat.MatchString(s) { // ParseFloat takes exponents, and more
		return 0, fmt.Errorf("%q is not a decimal number", s)
	}
	return strconv.ParseFloat(s, 64)
}

// check looks at the playlist as a whole.
func (p *Playlist) check() error {
	if p.Target < 1 {
		return errors.New("target duration 0")
	}
	if len(p.Segments) > 0 && p.Version < 6 {
		return fmt.Errorf("version %d with EXT-X-MAP", p.Version)
	}
	seen := make(map[string]bool)
	var elapsed time.Duration // since the first segment after a discontinuity
	var from, n int
	for i, s := range p.Segments {
		if rounded := math.Round(s.Duration); int(rounded) > p.Target || s.Duration <= 0 {
			return fmt.Errorf("segment %d lasts %v s, the target duration is %d", s.MSN, s.Duration, p.Target)
		}
		if seen[s.URI] {
			return fmt.Errorf("%s is listed twice", s.URI)
		}
		seen[s.URI] = true
		if s.Breaks {
			from, n, elapsed = i, 0, 0
		}
		// Dates have milliseconds, so each may be off by one, and EXTINF a little.
		if off := s.Date.Sub(p.Segments[from].Date) - elapsed; off.Abs() > time.Duration(n+1)*time.Millisecond {
			return fmt.Errorf("segment %d: its date is %v from where EXTINF puts it", s.MSN, off)
		}
		elapsed += time.Duration(s.Duration * float64(time.Second))
		n++
		if err := p.checkParts(s); err != nil {
			return err
		}
	}
	if p.Ended && len(p.Open.Parts) > 0 {
		return errors.New("parts of an open segment with EXT-X-ENDLIST")
	}
	return nil
}

func (p *Playlist) checkParts(s Segment) error {
	var sum float64
	for i, part := range s.Parts {
		sum += part.Duration
		short := i == len(s.Parts)-1 || part.Independent || part.Gap || s.Parts[i+1].Gap // may be so (section 4.4.4.9)
		if part.Duration > p.PartTarget+1e-6 || !short && part.Duration < 0.85*p.PartTarget {
			return fmt.Errorf("part %s lasts %v s, the part target is %v", part.URI, part.Duration, p.PartTarget)
		}
	}
	if len(s.Parts) > 0 && math.Abs(sum-s.Duration) > 0.001*float64(len(s.Parts)) {
		return fmt.Errorf("segment %d lasts %v s, its parts %v s", s.MSN, s.Duration, sum)
	}
	return nil
}
