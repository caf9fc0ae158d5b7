package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecparams"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"
	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"
)

// startDistance is how many segments before the end of a live playlist
// players begin (RFC 8216, section 6.3.3).
const startDistance = 3

// playHLS lets gohlslib's client play, and looks at what it is sent:
//
//	client ── request ──▶ hlsTap ──▶ server
//	   │                    │  playlists: listings, and not before there is news
//	   │ samples            │  the rest: sizes, statuses
//	   ▼                    ▼
//	 tracks ─────────────▶ report
func playHLS(ctx context.Context, f *fetcher, u *url.URL) error {
	distance, err := hlsDistance(ctx, f, u)
	if err != nil {
		return err
	}
	tap := &hlsTap{fetcher: f, distance: distance, requested: make(map[string]bool), headers: make(map[string]bool), playlists: make(map[string]*hlsPlaylist)}
	c := &gohlslib.Client{
		URI:                       u.String(),
		StartDistance:             distance,
		HTTPClient:                &http.Client{Transport: tap},
		OnDownloadPrimaryPlaylist: func(string) {},
		OnDownloadStreamPlaylist:  func(string) {},
		OnDownloadSegment:         func(string) {},
		OnDownloadPart:            func(string) {},
		OnDecodeError:             f.report.decodeError,
	}
	c.OnTracks = func(list []*gohlslib.Track) error {
		number := make(map[string]int)
		for _, t := range list {
			if t.Codec != nil { // else it is one that the client doesn't read, like MP3
				hlsTrack(c, f.report, t, number)
			}
		}
		return nil
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, c.Close)
	defer stop()
	err = c.Wait2()
	switch {
	case errors.Is(err, gohlslib.ErrClientEOS), tap.ended():
		return nil
	case tap.failed():
		return fmt.Errorf("%w: %w", errHTTP, err)
	}
	return err
}

// hlsDistance tells how far from the end to begin: a stream that has just
// begun has fewer segments than one would like, and the client wants to know.
func hlsDistance(ctx context.Context, f *fetcher, u *url.URL) (int, error) {
	for range 2 { // multivariant, media
		res, err := f.get(ctx, u, playlistLimit)
		if err != nil {
			return 0, err
		}
		parsed, err := playlist.Unmarshal(res.body)
		if err != nil {
			return 0, fmt.Errorf("playlist %s: %w", u, err)
		}
		switch p := parsed.(type) {
		case *playlist.Media:
			return min(len(p.Segments), startDistance), nil
		case *playlist.Multivariant:
			if u, err = res.url.Parse(p.Variants[0].URI); err != nil {
				return 0, fmt.Errorf("multivariant playlist: %w", err)
			}
		}
	}
	return 0, errors.New("a multivariant playlist in a multivariant playlist")
}

// hlsTrack has the samples of t noted.
func hlsTrack(c *gohlslib.Client, r *report, t *gohlslib.Track, number map[string]int) {
	kind := "audio"
	if t.Codec.IsVideo() {
		kind = "video"
	}
	number[kind]++
	out := &track{name: fmt.Sprintf("%s %d", kind, number[kind]), facts: codecparams.Marshal(t.Codec), timescale: t.ClockRate}
	if t.Name != "" {
		out.facts += fmt.Sprintf(", name %q", t.Name)
	}
	add := func(ts int64, size int) {
		out.add(ticks(ts, t.ClockRate), 0, size)
		if at, ok := c.AbsoluteTime(t); ok {
			out.addPlayed(time.Since(at))
		}
	}
	addAll := func(ts int64, units [][]byte, frame time.Duration) {
		for i, u := range units {
			add(ts+int64(frame)*int64(i)*int64(t.ClockRate)/int64(time.Second), len(u))
		}
	}
	frame := func(pts, dts int64, sync bool) {
		out.addFrame(ticks(dts, t.ClockRate), ticks(pts-dts, t.ClockRate), sync)
	}
	// addUnits notes an access unit of NAL units with 4-byte lengths.
	addUnits := func(sync func([][]byte) bool) func(pts, dts int64, units [][]byte) {
		return func(pts, dts int64, units [][]byte) {
			size := 0
			for _, u := range units {
				size += 4 + len(u)
			}
			frame(pts, dts, sync(units))
			add(dts, size)
		}
	}
	switch codec := t.Codec.(type) {
	case *codecs.H264:
		var s h264.SPS
		if err := s.Unmarshal(codec.SPS); err == nil {
			out.facts += fmt.Sprintf(", %d × %d", s.Width(), s.Height())
		}
		c.OnDataH26x(t, addUnits(h264.IsRandomAccess))
	case *codecs.H265:
		var s h265.SPS
		if err := s.Unmarshal(codec.SPS); err == nil {
			out.facts += fmt.Sprintf(", %d × %d", s.Width(), s.Height())
		}
		c.OnDataH26x(t, addUnits(h265.IsRandomAccess))
	case *codecs.AV1:
		c.OnDataAV1(t, func(pts int64, units [][]byte) {
			frame(pts, pts, av1.IsRandomAccess2(units))
			add(pts, totalSize(units))
		})
	case *codecs.VP9:
		out.facts += fmt.Sprintf(", %d × %d", codec.Width, codec.Height)
		c.OnDataVP9(t, func(pts int64, data []byte) {
			frame(pts, pts, vp9.IsRandomAccess(data))
			add(pts, len(data))
		})
	case *codecs.MPEG4Audio:
		out.facts += fmt.Sprintf(", %d Hz, %d channels", codec.Config.SampleRate, channels(codec.Config.ChannelConfig))
		out.frame = aacFrame(codec.Config)
		c.OnDataMPEG4Audio(t, func(pts int64, units [][]byte) { addAll(pts, units, out.frame) })
	case *codecs.Opus:
		out.facts += fmt.Sprintf(", 48000 Hz, %d channels", codec.ChannelCount)
		c.OnDataOpus(t, func(pts int64, packets [][]byte) { add(pts, totalSize(packets)) })
	case *codecs.FLAC:
		c.OnDataFLAC(t, func(pts int64, frame []byte) { add(pts, len(frame)) })
	case *codecs.KLV:
		c.OnDataKLV(t, func(pts int64, unit []byte) { add(pts, len(unit)) })
	}
	r.addTrack(out)
}

func totalSize(units [][]byte) (n int) {
	for _, u := range units {
		n += len(u)
	}
	return n
}

// channels is the count that an AAC channel configuration stands for.
func channels(config uint8) int {
	if config == 7 {
		return 8
	}
	return int(config)
}

// aacFrame is how long an AAC frame lasts (ISO/IEC 14496-3, section 4.5.1.1).
func aacFrame(c mpeg4audio.AudioSpecificConfig) time.Duration {
	samples := 1024 * time.Second
	if c.FrameLengthFlag {
		samples = 960 * time.Second
	}
	return samples / time.Duration(max(c.SampleRate, 1))
}

// ticks is a media time as a duration, exact also for times since 1970.
func ticks(t int64, timescale int) time.Duration {
	s := int64(timescale)
	return time.Duration(t/s)*time.Second + time.Duration(t%s*int64(time.Second)/s)
}

// hlsTap is the http.RoundTripper of gohlslib's client.
type hlsTap struct {
	fetcher  *fetcher
	distance int // the client's start distance

	mu        sync.Mutex
	requested map[string]bool // segments and parts that the client has asked for
	headers   map[string]bool // URLs of init segments
	playlists map[string]*hlsPlaylist
	bad       bool // a request has failed
}

// hlsPlaylist is a media playlist over time. It belongs to the one goroutine
// of the client that reloads it.
type hlsPlaylist struct {
	listing  *listing
	known    int // media sequence number of the first segment that is not counted yet
	started  int // the one that the client begins with
	parts    map[string]bool
	sequence int
	end      time.Time // of the last segment with a date
	endlist  bool
	hls      *playlist.Media // the newest
}

// ended tells whether all playlists of parts have come to their ends: the
// client takes that for a fault.
func (t *hlsTap) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.playlists {
		if !p.endlist || p.listing.partTarget == 0 {
			return false
		}
	}
	return len(t.playlists) > 0 && !t.bad
}

func (t *hlsTap) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bad
}

// RoundTrip answers the client. A playlist without news is held back, and
// asked for again like players do: the client never waits between reloads.
func (t *hlsTap) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.fetch(req)
	for begin := time.Now(); err == nil; {
		p := t.read(req, res)
		if p == nil || p.endlist || t.news(p, res.url) {
			break
		}
		pause := p.listing.target / 2 // RFC 8216, section 6.3.4
		if part := p.listing.partTarget; part > 0 {
			pause = part / 2
		}
		if late := time.Since(begin); late > 3*p.listing.target {
			t.fetcher.report.fault("%s: not a new segment for %.1f s", p.listing.name, late.Seconds())
			break
		}
		select {
		case <-time.After(max(pause, 50*time.Millisecond)):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		res, err = t.fetch(req)
	}
	if err != nil {
		return nil, err
	}
	body := res.body
	if isPlaylist(req.URL, res.header) {
		body = withoutCodecs(body)
	}
	return &http.Response{
		StatusCode:    res.status,
		Status:        http.StatusText(res.status),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        res.header,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}, nil
}

// knownCodecs is the attribute of a variant that has only what the client reads.
const knownCodecs = `CODECS="(?:(?:avc1|hvc1|hev1|av01|vp09|mp4a|Opus|opus|fLaC|flac)\b[^",]*,?)*"`

var codecsAttribute = regexp.MustCompile("," + knownCodecs + "|(:)" + knownCodecs + ",?")

// withoutCodecs is a multivariant playlist without CODECS: the client leaves out variants in
// AV1, VP9, Opus or FLAC where they are named, and plays them where they aren't.
func withoutCodecs(body []byte) []byte { return codecsAttribute.ReplaceAll(body, []byte("$1")) }

func (t *hlsTap) fetch(req *http.Request) (*response, error) {
	res, err := t.fetcher.do(req, t.fetcher.transport.RoundTrip, func(res *http.Response) int {
		if isPlaylist(req.URL, res.Header) {
			return playlistLimit
		}
		return segmentLimit
	})
	if req.Context().Err() == nil && (err != nil || res.status >= 400) {
		t.mu.Lock()
		t.bad = true
		t.mu.Unlock()
	}
	if err == nil && res.status < 300 && !isPlaylist(req.URL, res.header) {
		t.mu.Lock()
		t.requested[requestKey(req.URL, req.Header.Get("Range"))] = true
		header := t.headers[req.URL.String()]
		t.mu.Unlock()
		if !header {
			t.fetcher.report.gotSegment(res)
		}
	}
	return res, err
}

func isPlaylist(u *url.URL, h http.Header) bool {
	return strings.HasSuffix(strings.ToLower(u.Path), ".m3u8") || isHLS(h.Get("Content-Type"))
}

// requestKey names a range of a file.
func requestKey(u *url.URL, byteRange string) string { return u.String() + " " + byteRange }

// rangeKey is the key of a range as the client will ask for it.
func rangeKey(base *url.URL, uri string, start, length *uint64) string {
	u, err := base.Parse(uri)
	if err != nil {
		return uri
	}
	if length == nil {
		return requestKey(u, "")
	}
	from := uint64(0)
	if start != nil {
		from = *start
	}
	return requestKey(u, fmt.Sprintf("bytes=%d-%d", from, from+*length-1))
}

// lowLatency tells whether the client plays the parts of a playlist.
func lowLatency(m *playlist.Media) bool {
	return m.PreloadHint != nil && m.ServerControl != nil && m.ServerControl.CanBlockReload
}

// news tells whether a playlist has something that the client hasn't got.
func (t *hlsTap) news(p *hlsPlaylist, base *url.URL) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := p.hls
	if lowLatency(m) {
		h := m.PreloadHint
		return !t.requested[rangeKey(base, h.URI, &h.ByteRangeStart, h.ByteRangeLength)]
	}
	last := m.Segments[len(m.Segments)-1]
	return len(m.Segments) >= t.distance && !t.requested[rangeKey(base, last.URI, last.ByteRangeStart, last.ByteRangeLength)]
}

// read notes what a media playlist says. It returns nil for anything else.
func (t *hlsTap) read(req *http.Request, res *response) *hlsPlaylist {
	if res.status != http.StatusOK || !isPlaylist(req.URL, res.header) {
		return nil
	}
	parsed, err := playlist.Unmarshal(res.body)
	if err != nil {
		return nil // the client will say so
	}
	m, ok := parsed.(*playlist.Media)
	if !ok {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	name := path.Base(req.URL.Path)
	id := *req.URL
	id.RawQuery = ""
	p, ok := t.playlists[id.String()]
	if !ok {
		p = &hlsPlaylist{listing: t.fetcher.report.addListing(name, "target duration"), known: -1, parts: make(map[string]bool)}
		t.playlists[id.String()] = p
		t.fetcher.report.setLive(!m.Endlist)
	}
	if m.Map != nil {
		if u, err := res.url.Parse(m.Map.URI); err == nil {
			t.headers[u.String()] = true
		}
	}
	p.hls, p.endlist = m, m.Endlist
	p.listing.update(func() { p.count(m, t.distance) })
	return p
}

// count adds what a newer version of the playlist lists. distance is how far
// from the end of the first one the client begins.
func (p *hlsPlaylist) count(m *playlist.Media, distance int) {
	l := p.listing
	other := &l.report.other
	target := time.Duration(m.TargetDuration) * time.Second
	if l.target != 0 && l.target != target { // RFC 8216, section 6.2.1
		other.add("%s: target duration changes from %v to %v", l.name, l.target, target)
	}
	l.target = target
	if m.PartInf != nil {
		l.partTarget = m.PartInf.PartTarget
	}
	if m.MediaSequence < p.sequence {
		other.add("%s: media sequence number goes back from %d to %d", l.name, p.sequence, m.MediaSequence)
		p.known = m.MediaSequence
	}
	p.sequence = m.MediaSequence

	first := m.MediaSequence // of those that are listed
	if m.Skip != nil {
		first += m.Skip.SkippedSegments
	}
	if p.known < 0 {
		p.known = first
		p.started = first
		switch {
		case lowLatency(m):
			p.started = first + len(m.Segments)
		case !m.Endlist:
			p.started = first + max(0, len(m.Segments)-distance)
		}
	}
	var end time.Time
	for i, s := range m.Segments {
		if s.DateTime != nil {
			end = *s.DateTime
		}
		if !end.IsZero() {
			end = end.Add(s.Duration)
		}
		for _, part := range s.Parts {
			p.part(part)
		}
		if number := first + i; number >= p.known {
			p.known = number + 1
			p.segment(number, s)
		}
	}
	for _, part := range m.Parts {
		p.part(part)
		if !end.IsZero() {
			end = end.Add(part.Duration)
		}
	}
	if end.After(p.end) {
		p.end = end
		l.edge.add(time.Since(end))
	}
}

func (p *hlsPlaylist) segment(number int, s *playlist.MediaSegment) {
	l := p.listing
	if s.Gap {
		if number >= p.started {
			l.report.other.add("%s: segment %d is marked as a gap", l.name, number)
		}
		return
	}
	l.segments = append(l.segments, s.Duration)
	if s.Discontinuity && number > p.started {
		l.discontinuities++
	}
	if s.Duration.Round(time.Second) > l.target { // RFC 8216, section 4.3.3.1
		l.report.other.add("%s: segment %d lasts %.3f s, more than the target duration %v", l.name, number, s.Duration.Seconds(), l.target)
	}
}

func (p *hlsPlaylist) part(part *playlist.MediaPart) {
	id := part.URI
	if part.ByteRangeStart != nil {
		id = fmt.Sprint(id, " ", *part.ByteRangeStart)
	}
	if p.parts[id] {
		return
	}
	p.parts[id] = true
	l := p.listing
	l.parts = append(l.parts, part.Duration)
	if part.Duration > l.partTarget { // RFC 8216bis, section 4.4.3.7
		l.report.other.add("%s: part %s lasts %.3f s, more than the part target %.3f s", l.name, part.URI, part.Duration.Seconds(), l.partTarget.Seconds())
	}
}
