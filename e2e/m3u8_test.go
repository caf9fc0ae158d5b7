package e2e

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

// A strict reader of HLS playlists (RFC 8216bis): what a player would forgive
// is a fault here.

// mediaPlaylist is a media playlist. URIs are resolved.
type mediaPlaylist struct {
	version, targetDuration int
	sequence, discontinuity int64
	segments                []mediaSegment
	trailing                []mediaPart // of the segment in production
	partTarget              float64
	ended                   bool
}

type mediaSegment struct {
	msn           int64
	uri, header   string
	duration      float64
	text          string // of the duration: it must not change
	time          time.Time
	discontinuity bool
	parts         []mediaPart
}

type mediaPart struct {
	uri         string
	duration    float64
	independent bool
}

func (p *mediaPlaylist) next() int64 { return p.sequence + int64(len(p.segments)) }

func (p *mediaPlaylist) duration() (sum float64) {
	for _, s := range p.segments {
		sum += s.duration
	}
	return sum
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

// attributes reads an attribute list (section 4.2).
func attributes(list string) (map[string]string, error) {
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

func parseDecimal(s string) (float64, error) {
	if !decimalFloat.MatchString(s) { // ParseFloat takes exponents, and more
		return 0, fmt.Errorf("%q is not a decimal number", s)
	}
	return strconv.ParseFloat(s, 64)
}

// mediaParser is the state between the lines of a media playlist.
type mediaParser struct {
	base   *url.URL
	out    mediaPlaylist
	once   map[string]bool
	header string
	next   mediaSegment // what the tags said so far of the next segment
	extinf bool
	err    error
}

// parseMedia reads and checks a media playlist that came from base.
func parseMedia(base string, body []byte) (*mediaPlaylist, error) {
	all, err := lines(body)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	p := mediaParser{base: u, once: make(map[string]bool)}
	for i, l := range all {
		p.line(l)
		if p.err != nil {
			return nil, fmt.Errorf("line %d, %q: %w", i+2, l, p.err)
		}
	}
	for _, tag := range []string{"VERSION", "TARGETDURATION", "MEDIA-SEQUENCE"} {
		if !p.once[tag] {
			return nil, fmt.Errorf("no EXT-X-%s", tag)
		}
	}
	if p.extinf {
		return nil, errors.New("the last EXTINF has no URI")
	}
	p.out.trailing = p.next.parts
	return &p.out, p.check()
}

func (p *mediaParser) line(l string) {
	if !strings.HasPrefix(l, "#") {
		p.segment(l)
		return
	}
	name, value, _ := strings.Cut(strings.TrimPrefix(l, "#"), ":")
	if !strings.HasPrefix(name, "EXT") {
		return // a comment
	}
	name = strings.TrimPrefix(name, "EXT-X-")
	switch name {
	case "VERSION", "TARGETDURATION", "MEDIA-SEQUENCE", "DISCONTINUITY-SEQUENCE", "INDEPENDENT-SEGMENTS", "SERVER-CONTROL", "PART-INF", "ENDLIST":
		if p.once[name] {
			p.err = errors.New("a second time")
			return
		}
		p.once[name] = true
		p.playlistTag(name, value)
	default:
		p.segmentTag(name, value)
	}
}

func (p *mediaParser) playlistTag(name, value string) {
	if len(p.out.segments) > 0 && name != "ENDLIST" {
		p.err = errors.New("behind a segment") // section 4.4.3.2 and 3, and hls.js gives up
		return
	}
	switch name {
	case "VERSION":
		p.out.version, p.err = strconv.Atoi(value)
	case "TARGETDURATION":
		p.out.targetDuration, p.err = strconv.Atoi(value)
	case "MEDIA-SEQUENCE":
		p.out.sequence, p.err = strconv.ParseInt(value, 10, 64)
	case "DISCONTINUITY-SEQUENCE":
		p.out.discontinuity, p.err = strconv.ParseInt(value, 10, 64)
	case "PART-INF":
		a, err := attributes(value)
		if p.err = err; err == nil {
			p.out.partTarget, p.err = parseDecimal(a["PART-TARGET"])
		}
	case "SERVER-CONTROL":
		_, p.err = attributes(value)
	case "ENDLIST":
		p.out.ended = true
	}
}

func (p *mediaParser) segmentTag(name, value string) {
	switch name {
	case "EXTINF":
		text, _, comma := strings.Cut(value, ",")
		if !comma || p.extinf {
			p.err = errors.New("EXTINF without a comma, or two for one segment")
			return
		}
		p.extinf, p.next.text = true, text
		p.next.duration, p.err = parseDecimal(text)
	case "MAP":
		a, err := attributes(value)
		if p.err = err; err == nil {
			p.header = p.resolve(a["URI"])
		}
	case "DISCONTINUITY":
		p.next.discontinuity = true
	case "PROGRAM-DATE-TIME":
		p.next.time, p.err = time.Parse("2006-01-02T15:04:05.000Z07:00", value)
	case "PART":
		a, err := attributes(value)
		if err != nil {
			p.err = err
			return
		}
		part := mediaPart{uri: p.resolve(a["URI"]), independent: a["INDEPENDENT"] == "YES"}
		part.duration, err = parseDecimal(a["DURATION"])
		p.err = errors.Join(p.err, err)
		p.next.parts = append(p.next.parts, part)
	case "PRELOAD-HINT", "RENDITION-REPORT":
		a, err := attributes(value)
		if p.err = err; err == nil && a["URI"] == "" {
			p.err = errors.New("no URI")
		}
	default:
		p.err = errors.New("a tag that this test does not know")
	}
}

func (p *mediaParser) segment(uri string) {
	s := p.next
	s.uri, s.header, s.msn = p.resolve(uri), p.header, p.out.next()
	switch {
	case p.out.ended:
		p.err = errors.New("a segment behind EXT-X-ENDLIST")
	case !p.extinf:
		p.err = errors.New("a segment without EXTINF")
	case s.header == "":
		p.err = errors.New("a segment without EXT-X-MAP")
	case s.time.IsZero():
		p.err = errors.New("a segment without EXT-X-PROGRAM-DATE-TIME")
	}
	p.out.segments = append(p.out.segments, s)
	p.next, p.extinf = mediaSegment{}, false
}

// resolve insists on relative URIs: absolute ones tie a playlist to one host.
func (p *mediaParser) resolve(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || uri == "" || u.IsAbs() || u.Host != "" {
		p.err = fmt.Errorf("URI %q: empty, broken or not relative", uri)
		return ""
	}
	return p.base.ResolveReference(u).String()
}

// check looks at the playlist as a whole.
func (p *mediaParser) check() error {
	o := &p.out
	if o.targetDuration < 1 {
		return errors.New("target duration 0")
	}
	if len(o.segments) > 0 && o.version < 6 {
		return fmt.Errorf("version %d with EXT-X-MAP", o.version)
	}
	seen := make(map[string]bool)
	var elapsed time.Duration // since the first segment after a discontinuity
	var from, n int
	for i, s := range o.segments {
		if rounded := math.Round(s.duration); int(rounded) > o.targetDuration || s.duration <= 0 {
			return fmt.Errorf("segment %d lasts %v s, the target duration is %d", s.msn, s.duration, o.targetDuration)
		}
		if seen[s.uri] {
			return fmt.Errorf("%s is listed twice", s.uri)
		}
		seen[s.uri] = true
		if s.discontinuity {
			from, n, elapsed = i, 0, 0
		}
		// Dates have milliseconds, so each may be off by one, and EXTINF a little.
		if off := s.time.Sub(o.segments[from].time) - elapsed; off.Abs() > time.Duration(n+1)*time.Millisecond {
			return fmt.Errorf("segment %d: its date is %v from where EXTINF puts it", s.msn, off)
		}
		elapsed += time.Duration(s.duration * float64(time.Second))
		n++
		if err := p.checkParts(s); err != nil {
			return err
		}
	}
	if o.ended && len(o.trailing) > 0 {
		return errors.New("parts of an open segment with EXT-X-ENDLIST")
	}
	return nil
}

func (p *mediaParser) checkParts(s mediaSegment) error {
	var sum float64
	for i, part := range s.parts {
		sum += part.duration
		last := i == len(s.parts)-1
		if part.duration > p.out.partTarget+1e-6 || !last && !part.independent && part.duration < 0.85*p.out.partTarget {
			return fmt.Errorf("part %s lasts %v s, the part target is %v", part.uri, part.duration, p.out.partTarget)
		}
	}
	if len(s.parts) > 0 && math.Abs(sum-s.duration) > 0.001*float64(len(s.parts)) {
		return fmt.Errorf("segment %d lasts %v s, its parts %v s", s.msn, s.duration, sum)
	}
	return nil
}

// history checks each version of a playlist against the one before.
type history struct {
	last    *mediaPlaylist
	changed time.Time // when a segment was added last
	longest time.Duration
	updates int
	slides  int // segments that left the list
}

// add takes the version that was fetched at now.
func (h *history) add(p *mediaPlaylist, now time.Time) error {
	before := h.last
	h.last = p
	if before == nil {
		h.changed = now
		return nil
	}
	switch removed := p.sequence - before.sequence; {
	case p.targetDuration != before.targetDuration:
		return fmt.Errorf("target duration %d was %d", p.targetDuration, before.targetDuration)
	case removed < 0:
		return fmt.Errorf("media sequence %d was %d", p.sequence, before.sequence)
	case p.next() < before.next():
		return fmt.Errorf("segment %d was there, now %d is the last", before.next()-1, p.next()-1)
	case before.ended && (!p.ended || p.next() != before.next() || removed > 0):
		return errors.New("it changed after EXT-X-ENDLIST")
	default:
		h.slides += int(removed)
		var discontinuities int64
		for i, s := range before.segments {
			if int64(i) < removed {
				if s.discontinuity {
					discontinuities++
				}
				continue
			}
			same := p.segments[int64(i)-removed]
			if int64(i) == removed {
				same.discontinuity = s.discontinuity // the first needs no tag
			}
			if same.uri != s.uri || same.text != s.text || same.header != s.header || !same.time.Equal(s.time) || same.discontinuity != s.discontinuity {
				return fmt.Errorf("segment %d was %+v, is %+v", s.msn, s, same)
			}
		}
		// The tag of the first segment may be left out already.
		if step := p.discontinuity - before.discontinuity; step < discontinuities {
			return fmt.Errorf("discontinuity sequence went on by %d, %d left the list", step, discontinuities)
		}
	}
	if p.next() > before.next() {
		h.updates++
		h.longest = max(h.longest, now.Sub(h.changed))
		h.changed = now
	}
	return nil
}

// multivariant is a multivariant playlist.
type multivariant struct {
	variants []variant
	audio    []map[string]string // EXT-X-MEDIA, URI resolved
}

type variant struct {
	uri        string
	attributes map[string]string
}

// media lists the media playlists.
func (m *multivariant) media() []string {
	var all []string
	for _, v := range m.variants {
		all = append(all, v.uri)
	}
	for _, a := range m.audio {
		all = append(all, a["URI"])
	}
	return all
}

func parseMultivariant(base string, body []byte) (*multivariant, error) {
	all, err := lines(body)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	p := mediaParser{base: u} // for its resolve
	out := new(multivariant)
	var stream map[string]string
	for _, l := range all {
		name, value, _ := strings.Cut(l, ":")
		var a map[string]string
		if strings.Contains(value, "=") {
			if a, err = attributes(value); err != nil {
				return nil, err
			}
		}
		switch {
		case stream != nil && strings.HasPrefix(l, "#"):
			return nil, fmt.Errorf("%q between EXT-X-STREAM-INF and its URI", l)
		case !strings.HasPrefix(l, "#"):
			if stream == nil {
				return nil, fmt.Errorf("URI %q without EXT-X-STREAM-INF", l)
			}
			out.variants = append(out.variants, variant{p.resolve(l), stream})
			stream = nil
		case name == "#EXT-X-STREAM-INF":
			stream = a
			for _, required := range []string{"BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS"} {
				if a[required] == "" {
					return nil, fmt.Errorf("%q has no %s", l, required)
				}
			}
		case name == "#EXT-X-MEDIA":
			a["URI"] = p.resolve(a["URI"])
			if a["TYPE"] != "AUDIO" || a["GROUP-ID"] == "" || a["NAME"] == "" {
				return nil, fmt.Errorf("%q lacks something", l)
			}
			out.audio = append(out.audio, a)
		case name == "#EXT-X-VERSION", name == "#EXT-X-INDEPENDENT-SEGMENTS":
		default:
			return nil, fmt.Errorf("%q is not known to this test", l)
		}
	}
	if stream != nil || len(out.variants) == 0 {
		return nil, errors.New("no variant, or one without a URI")
	}
	for _, v := range out.variants {
		if g, ok := v.attributes["AUDIO"]; ok && (len(out.audio) == 0 || out.audio[0]["GROUP-ID"] != g) {
			return nil, fmt.Errorf("the audio group %q does not exist", g)
		}
	}
	return out, p.err
}
