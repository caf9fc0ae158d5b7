package probe

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// playDASH fetches the manifest again and again, and each segment that it
// lists, without waiting to play them. Of a recording it takes length.
func playDASH(ctx context.Context, f *fetcher, u *url.URL, length time.Duration) error {
	p := &dashPlayer{fetcher: f, report: f.report, length: length, streams: make(map[string]*dashTrack)}
	for {
		asked := time.Now()
		m, err := p.manifest(ctx, u)
		if err != nil {
			return err
		}
		if m.location != nil {
			u = m.location
		}
		if err := p.fetchNew(ctx, m); err != nil {
			return err
		}
		if !m.live {
			return nil
		}
		wait := m.update
		if wait == 0 { // the manifest stays: only time goes on
			wait = time.Second
		}
		p.watch(m)
		select {
		case <-time.After(time.Until(asked.Add(wait))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// dashPlayer is what a play remembers from one manifest to the next.
type dashPlayer struct {
	fetcher *fetcher
	report  *report
	length  time.Duration
	streams map[string]*dashTrack // by dashStream.key
}

// dashTrack is a stream that is played.
type dashTrack struct {
	track   *track
	listing *listing
	header  string // URL of the init segment that is in use
	init    *dashInit
	begun   bool
	next    time.Duration // segments that begin before it are done with
	period  string
	origin  time.Duration // where the play began
	listed  time.Duration // end of what has been listed
	fresh   time.Time     // when something new was listed
	stale   bool          // it was said that nothing new is listed
}

func (p *dashPlayer) manifest(ctx context.Context, u *url.URL) (*manifest, error) {
	res, err := p.fetcher.get(ctx, u, playlistLimit)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	m, err := parseMPD(res.body, res.url, time.Now())
	if err != nil {
		return nil, err
	}
	if len(m.streams) == 0 {
		return nil, errors.New("MPD: no Representation")
	}
	if len(p.streams) == 0 {
		p.report.setLive(m.live)
	}
	for _, s := range m.streams {
		p.list(m, s)
	}
	return m, nil
}

// list notes what is new in the manifest.
func (p *dashPlayer) list(m *manifest, s *dashStream) {
	t, ok := p.streams[s.key]
	if !ok {
		t = &dashTrack{track: p.report.addTrack(&track{name: s.key, facts: s.codecs})}
		t.listing = p.report.addListing(s.key, "maxSegmentDuration")
		t.fresh = time.Now()
		p.streams[s.key] = t
	}
	t.listing.update(func() {
		t.listing.target = m.longest
		for _, seg := range s.segments {
			if seg.end() <= t.listed+timeTolerance {
				continue
			}
			t.listed = seg.end()
			t.fresh, t.stale = time.Now(), false
			t.listing.segments = append(t.listing.segments, seg.duration)
			if m.longest > 0 && seg.exact && seg.duration > m.longest+timeTolerance {
				p.report.other.add("%s: segment %s lasts %.3f s, more than maxSegmentDuration %.3f s",
					s.key, path.Base(seg.url.Path), seg.duration.Seconds(), m.longest.Seconds())
			}
		}
	})
	if !t.begun && len(s.segments) > 0 {
		from := 0
		if m.live {
			from = max(0, len(s.segments)-startDistance)
		}
		t.begun = true
		t.origin = s.segments[from].begin
		t.next = t.origin - timeTolerance
	}
}

// watch says when a live stream stands still.
func (p *dashPlayer) watch(m *manifest) {
	for _, t := range p.streams {
		longest := time.Second
		for _, d := range t.listing.segments {
			longest = max(longest, d)
		}
		if late := time.Since(t.fresh); !t.stale && late > 3*longest {
			t.stale = true
			p.report.fault("%s: not a new segment for %.1f s", t.track.name, late.Seconds())
		}
	}
}

// fetchNew fetches what each stream has not had yet, in the order of time.
func (p *dashPlayer) fetchNew(ctx context.Context, m *manifest) error {
	type item struct {
		segment dashSegment
		track   *dashTrack
		newest  bool
	}
	var list []item
	for _, s := range m.streams {
		t := p.streams[s.key]
		for i, seg := range s.segments {
			if seg.begin >= t.next && (m.live || seg.begin < t.origin+p.length) {
				list = append(list, item{seg, t, i == len(s.segments)-1})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b item) int { return int(a.segment.begin - b.segment.begin) })
	for _, i := range list {
		t := i.track
		t.next = i.segment.end() - timeTolerance
		end, err := p.fetch(ctx, t, i.segment)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			t.track.separate()
			if !errors.Is(err, errHTTP) {
				p.report.decodeError(fmt.Errorf("%s: %s: %w", t.track.name, path.Base(i.segment.url.Path), err))
			}
		case i.newest && m.live:
			latency := time.Since(m.start.Add(end))
			t.listing.update(func() { t.listing.edge.add(latency) })
		}
	}
	return nil
}

// fetch gets one segment and notes its samples. It returns where it ends on
// the manifest's timeline.
func (p *dashPlayer) fetch(ctx context.Context, t *dashTrack, s dashSegment) (time.Duration, error) {
	if t.period != s.period {
		if t.period != "" {
			t.track.separate()
			t.listing.update(func() { t.listing.discontinuities++ })
		}
		t.period = s.period
	}
	if err := p.useHeader(ctx, t, s.header); err != nil {
		return 0, err
	}
	res, err := p.fetcher.get(ctx, s.url, segmentLimit)
	if err != nil {
		return 0, err
	}
	p.report.gotSegment(res)
	got, err := t.init.samples(res.body)
	if err != nil {
		return 0, err
	}
	for _, g := range got.samples {
		if t.init.picture {
			t.track.addFrame(g.at, g.shown, g.sync)
		}
		t.track.add(g.at, g.duration, g.size)
	}
	if s.exact {
		p.compare(t, s, got)
	}
	return got.presentation + got.duration + s.offset, nil
}

// compare checks a segment against its line in the manifest.
func (p *dashPlayer) compare(t *dashTrack, s dashSegment, got *dashSamples) {
	const tolerance = 10 * time.Millisecond // players forgive much more
	name := path.Base(s.url.Path)
	if d := got.presentation - s.media; d.Abs() > tolerance {
		p.report.fault("%s: segment %s begins %.3f s off the time in the manifest", t.track.name, name, d.Seconds())
	}
	if d := got.duration - s.duration; d.Abs() > tolerance {
		p.report.fault("%s: segment %s lasts %.3f s, the manifest says %.3f s", t.track.name, name, got.duration.Seconds(), s.duration.Seconds())
	}
}

// useHeader fetches the init segment when it is another one than before.
func (p *dashPlayer) useHeader(ctx context.Context, t *dashTrack, u *url.URL) error {
	if u == nil {
		return errors.New("no initialization in the manifest")
	}
	if t.init != nil && t.header == u.String() {
		return nil
	}
	res, err := p.fetcher.get(ctx, u, segmentLimit)
	if err != nil {
		return err
	}
	init, err := readInit(res.body)
	if err != nil {
		return fmt.Errorf("init segment: %w", err)
	}
	t.init, t.header = init, u.String()
	p.report.mu.Lock()
	defer p.report.mu.Unlock()
	if t.track.timescale == 0 {
		t.track.facts = cmp.Or(t.track.facts, init.entry) + init.facts
	}
	t.track.timescale = init.timescale
	t.track.frame = init.frame
	return nil
}

// dashInit is what an init segment says of its one track.
type dashInit struct {
	id        uint32
	timescale int
	entry     string // sample entry
	facts     string
	frame     time.Duration // of AAC
	picture   bool
	defaults  *mp4.TrexBox
}

func readInit(body []byte) (*dashInit, error) {
	f, err := mp4.DecodeFile(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if f.Init == nil || f.Init.Moov == nil || f.Init.Moov.Trak == nil || f.Init.Moov.Mvex == nil {
		return nil, errors.New("no moov box with a track and mvex")
	}
	trak := f.Init.Moov.Trak
	if trak.Tkhd == nil || trak.Mdia == nil || trak.Mdia.Mdhd == nil || trak.Mdia.Mdhd.Timescale == 0 ||
		trak.Mdia.Minf == nil || trak.Mdia.Minf.Stbl == nil || trak.Mdia.Minf.Stbl.Stsd == nil || len(trak.Mdia.Minf.Stbl.Stsd.Children) == 0 {
		return nil, errors.New("an incomplete trak box")
	}
	out := &dashInit{id: trak.Tkhd.TrackID, timescale: int(trak.Mdia.Mdhd.Timescale)}
	out.defaults, _ = f.Init.Moov.Mvex.GetTrex(out.id)
	entry := trak.Mdia.Minf.Stbl.Stsd.Children[0]
	out.entry = entry.Type()
	switch e := entry.(type) {
	case *mp4.VisualSampleEntryBox:
		out.picture = true
		out.facts = fmt.Sprintf(", %d × %d", e.Width, e.Height)
	case *mp4.AudioSampleEntryBox:
		rate, count := int(e.SampleRate), int(e.ChannelCount)
		if e.Esds != nil && e.Esds.DecConfigDescriptor != nil && e.Esds.DecConfigDescriptor.DecSpecificInfo != nil {
			var c mpeg4audio.AudioSpecificConfig
			if err := c.Unmarshal(e.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig); err != nil {
				return nil, fmt.Errorf("AudioSpecificConfig: %w", err)
			}
			rate, count = c.SampleRate, channels(c.ChannelConfig)
			out.frame = aacFrame(c)
		}
		out.facts = fmt.Sprintf(", %d Hz, %d channels", rate, count)
	}
	return out, nil
}

// dashSamples are the samples of a segment.
type dashSamples struct {
	samples      []dashSample
	presentation time.Duration // time of the first that is shown
	duration     time.Duration
}

type dashSample struct {
	at, duration time.Duration // media time
	shown        time.Duration // behind at
	size         int
	sync         bool
}

// samples reads the samples of the track in a segment.
func (i *dashInit) samples(body []byte) (*dashSamples, error) {
	f, err := mp4.DecodeFile(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out := &dashSamples{}
	var presentation, total int64
	for _, s := range f.Segments {
		for _, frag := range s.Fragments {
			if frag.Moof == nil || frag.Mdat == nil {
				return nil, errors.New("a fragment without moof or mdat")
			}
			bytes := 0
			for _, traf := range frag.Moof.Trafs {
				if traf.Tfhd == nil || traf.Tfhd.TrackID != i.id {
					continue
				}
				if traf.Tfdt == nil {
					return nil, errors.New("no tfdt box")
				}
				at := int64(traf.Tfdt.BaseMediaDecodeTime())
				for _, run := range traf.Truns {
					run.AddSampleDefaultValues(traf.Tfhd, i.defaults)
					for _, s := range run.Samples {
						if shown := at + int64(s.CompositionTimeOffset); len(out.samples) == 0 || shown < presentation {
							presentation = shown
						}
						begin := ticks(at, i.timescale)
						at += int64(s.Dur)
						total += int64(s.Dur)
						bytes += int(s.Size)
						out.samples = append(out.samples, dashSample{begin, ticks(at, i.timescale) - begin, ticks(int64(s.CompositionTimeOffset), i.timescale), int(s.Size), s.IsSync()})
					}
				}
			}
			if uint64(bytes) > frag.Mdat.DataLength() {
				return nil, fmt.Errorf("samples of %d bytes in an mdat box of %d", bytes, frag.Mdat.DataLength())
			}
		}
	}
	if len(out.samples) == 0 {
		return nil, errors.New("no samples")
	}
	out.presentation = ticks(presentation, i.timescale)
	out.duration = ticks(total, i.timescale)
	return out, nil
}
