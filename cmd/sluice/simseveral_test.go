package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/gate"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/hls"
	"github.com/sluice-live/sluice/remux"
)

// TestSimulationOfSeveral has several encoders push one program in fake time, in several
// qualities and with others that stand by, through whatever the seed does to them. Each
// Window is held to what all renditions have alike: numbers, where segments begin, and
// discontinuities. Its settings are those of TestSimulation.
//
//	encoders ──tags──▶ gate, remux, packager ──▶ Windows ──▶ laws
func TestSimulationOfSeveral(t *testing.T) {
	seeds, hours := 4.0, 1.0/10
	if testing.Short() || race { // make unit runs it without the race detector, too
		seeds, hours = 2, 1.0/60
	}
	seeds, hours = setting(t, "SIMULATE_SEEDS", seeds), setting(t, "SIMULATE_HOURS", hours)
	first := uint64(setting(t, "SIMULATE_FIRST", 1))
	turn := make(chan bool, 2)
	for seed := first; seed < first+uint64(seeds); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			turn <- true
			defer func() { <-turn }()
			synctest.Test(t, func(t *testing.T) { newBroadcast(t, seed).run(time.Duration(hours * float64(time.Hour))) })
			if t.Failed() {
				t.Logf("again: SIMULATE_FIRST=%d SIMULATE_SEEDS=1 SIMULATE_HOURS=%v go test ./cmd/sluice -run '^TestSimulationOfSeveral$'", seed, hours)
			}
		})
	}
}

// broadcast is what all encoders send, and one seed's world. Its time is in ms.
type broadcast struct {
	t       *testing.T
	seed    uint64
	rand    *rand.Rand
	began   time.Time
	catalog *packager.Catalog
	gate    *gate.Gate

	fps, gop int  // pictures a second of the first quality; seconds
	exact    bool // all keyframes lie alike, and all timestamps are of one clock
	pushers  []*pusher

	mu     sync.Mutex
	diary  []string
	broken map[string]int
	later  map[string]time.Duration     // that pictures are shown, by period
	count  map[packager.RenditionID]int // segments that were looked at
	paced  time.Time                    // how far others are to follow who is furthest, see follows
	seen   time.Time                    // when that was
	leaped atomic.Int64                 // ms that the source's timestamps have leapt by
	there  int                          // encoders that publish
	vacant time.Time                    // when there was none last
}

// pusher is one encoder.
type pusher struct {
	*broadcast
	rand    *rand.Rand
	label   string
	number  int
	half    bool    // half of the pictures
	first   int     // ms at which its first keyframe lies, of each GOP
	gop     int     // seconds
	base    int64   // what its timestamps are ahead of the program's, ms
	drift   float64 // of its clock
	lag     int64   // of its samples, ms
	rough   bool
	calm    bool // nothing ever happens to it
	picture int
	from    int64 // ms at which it comes
}

func newBroadcast(t *testing.T, seed uint64) *broadcast {
	time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).Add(time.Duration(seed%1e6) * 77_777 * time.Microsecond)))
	p := &broadcast{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 7)), began: time.Now(), exact: true, broken: make(map[string]int), later: make(map[string]time.Duration), count: make(map[packager.RenditionID]int)}
	r := p.rand
	cfg := config.Default()
	cfg.ABR.Suffixes = []string{"_a", "_b", "_c"}
	cfg.Publish.Backup, cfg.Publish.BackupReturn = r.IntN(2) == 0, r.IntN(2) == 0
	cfg.Window.FrameChunks = r.IntN(6) == 0
	cfg.Window.PartDuration = []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, time.Second}[r.IntN(3)]
	set := settings(cfg.Window)
	set.Genlock, set.Backup, set.BackupAfter, set.BackupReturn = true, cfg.Publish.Backup, cfg.Publish.BackupAfter, cfg.Publish.BackupReturn
	p.catalog = packager.NewCatalog(set, time.Now)
	who := access.NewPublishers(access.Settings{From: address.Networks{netip.MustParsePrefix("192.0.2.0/24")}, Now: time.Now})
	p.gate = &gate.Gate{
		Catalog: p.catalog, Access: func() *access.Publishers { return who }, Now: time.Now, Log: zerolog.Nop(),
		Suffixes: cfg.ABR.Suffixes, Backup: cfg.Publish.Backup,
	}
	p.fps, p.gop = []int{10, 20, 25}[r.IntN(3)], 1+r.IntN(3)
	labels := []string{"", "_a", "_b", "_c"}[r.IntN(2):]
	labels = labels[:2+r.IntN(len(labels)-1)]
	common := r.IntN(2) == 0
	for _, label := range labels {
		n := 1
		if cfg.Publish.Backup && r.IntN(2) == 0 {
			n = 2
		}
		half := r.IntN(4) == 0
		if half && p.gop*p.fps%2 > 0 { // half of the pictures are not the half of a GOP: it has every other keyframe
			p.exact = false
		}
		for range n {
			e := &pusher{broadcast: p, label: label, number: len(p.pushers), rand: rand.New(rand.NewPCG(seed, 100+uint64(len(p.pushers)))), half: half, gop: p.gop}
			e.lag = e.rand.Int64N(150)
			if e.rough = r.IntN(3) == 0; common && r.IntN(3) == 0 {
				e.lag += r.Int64N(1200)
			}
			if e.base = 5000; !common {
				e.base = r.Int64N(1 << 32)
			}
			switch r.IntN(12) {
			case 0:
				e.first, p.exact = 300*p.fps/1000*(1000/p.fps), false // a picture lies there
			case 1:
				e.gop, p.exact = e.gop+1, false
			case 2:
				e.drift, p.exact = 100e-6, false
			}
			e.calm = n == 1 && r.IntN(3) == 0
			if e.from = r.Int64N(300); r.IntN(4) == 0 {
				e.from = r.Int64N(60_000)
			}
			p.pushers = append(p.pushers, e)
		}
	}
	return p
}

func (p *broadcast) run(length time.Duration) {
	ctx, cancel := context.WithCancel(p.t.Context())
	var pushers, viewers sync.WaitGroup
	viewers.Go(func() { p.look(ctx) })
	viewers.Go(func() {
		for ctx.Err() == nil {
			p.catalog.Expire()
			time.Sleep(time.Second)
		}
	})
	for _, e := range p.pushers {
		pushers.Go(func() { e.push(length.Milliseconds()) })
	}
	pushers.Wait()
	time.Sleep(3 * time.Minute)
	if n := len(p.catalog.Streams()); n != 0 {
		p.violate("N8", "%d streams are left", n)
	}
	cancel()
	viewers.Wait()
	p.t.Log(len(p.pushers), "encoders, segments of", p.count, ", periods:", len(p.later))
	if os.Getenv("SIMULATE_DIARY") != "" {
		p.t.Log(strings.Join(p.diary, "\n\t"))
	}
}

func (p *broadcast) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.diary = append(p.diary, fmt.Sprintf("%8.3f ", time.Since(p.began).Seconds())+fmt.Sprintf(format, args...))
}

func (p *broadcast) violate(law, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken[law]++; p.broken[law] > 2 {
		p.t.Fail()
		return
	}
	p.t.Errorf("seed %d at %v: %s: %s\n\t%s", p.seed, time.Since(p.began).Round(time.Millisecond), law, fmt.Sprintf(format, args...),
		strings.Join(p.diary[max(0, len(p.diary)-5):], "\n\t"))
}

// ear is a connection that is heard all the time, unless it stalls.
type ear struct {
	heard atomic.Int64
	hung  atomic.Bool
}

func (q *ear) Silent() time.Duration { return time.Since(time.Unix(0, q.heard.Load())) }
func (q *ear) Held() int             { return 0 }
func (q *ear) Hang(error)            { q.hung.Store(true) }
func (q *ear) Reconnect(string) bool { return false }

// push is the life of an encoder.
func (e *pusher) push(until int64) {
	e.note("%s/%d: half %v, first %d, GOP %d s, base %d, drift %v, lag %d, rough %v, calm %v, exact %v", e.label, e.number, e.half, e.first, e.gop, e.base, e.drift, e.lag, e.rough, e.calm, e.exact)
	e.sleepTo(e.from)
	for e.now() < until {
		q := new(ear)
		q.heard.Store(time.Now().UnixNano())
		_, sink, err := e.gate.Publish(context.Background(), ingest.Request{
			App: "live", Name: "cam1" + e.label, Peer: q, Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + e.number)}), 1),
		})
		if err != nil {
			if e.calm || !errors.Is(err, ingest.ErrBusy) && !strings.Contains(err.Error(), "too often") {
				e.violate("F3", "%s: %v", e.label, err)
			}
			time.Sleep(5 * time.Second)
			continue
		}
		e.note("%s/%d: publishes", e.label, e.number)
		e.come(1)
		sink.Close(e.session(sink, q, until))
		e.come(-1)
		if e.now() < until {
			away := 500 + e.rand.Int64N(4000)
			if e.rand.IntN(4) == 0 {
				away = e.rand.Int64N(70_000)
			}
			e.sleepTo(e.now() + away)
		}
	}
}

// come counts the encoders that publish.
func (p *broadcast) come(by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.there += by; p.there == 0 {
		p.vacant = time.Now()
	}
}

// left tells whether all encoders were gone since then.
func (p *broadcast) left(since time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.vacant.Before(since)
}

func (p *broadcast) now() int64 { return time.Since(p.began).Milliseconds() }

func (p *broadcast) sleepTo(ms int64) {
	time.Sleep(time.Until(p.began.Add(time.Duration(ms) * time.Millisecond)))
}

// session sends the program until something ends it, and returns why.
func (e *pusher) session(sink ingest.Sink, q *ear, until int64) error {
	send := func(tag flv.Tag) error {
		q.heard.Store(time.Now().UnixNano())
		return sink.WriteTag(tag)
	}
	f := framing{}
	if err := send(flv.Tag{Type: flv.TagVideo, Body: f.picture(keyframe, 0, packet{config: true, body: pictures[false][e.picture]})}); err != nil {
		return err
	}
	rate := sampleRates[8000]
	if err := send(flv.Tag{Type: flv.TagAudio, Body: f.sounds(0, packet{config: true, body: []byte{2<<3 | rate>>1, rate<<7 | 1<<3}})}); err != nil {
		return err
	}
	step := int64(1000 / e.fps)
	gop := int64(e.gop) * 1000
	video, audio := (e.now()-e.lag)/step*step, (e.now()-e.lag)/128*128 // ms of the program
	for (video-int64(e.first))%gop != 0 {
		video += step
	}
	held, began, changes := int64(0), false, false
	nextFault := e.now() + int64(30_000*e.rand.ExpFloat64())
	leapt := e.leaped.Load()
	for {
		at, isVideo := min(video, audio), video <= audio
		if at >= until {
			return nil
		}
		due := at + e.lag
		if e.rough {
			due += e.rand.Int64N(60)
		}
		e.sleepTo(max(due, held))
		if q.hung.Load() {
			return errCut
		}
		key := isVideo && (video-int64(e.first))%gop == 0
		if began && !e.calm && e.now() > nextFault {
			nextFault = e.now() + int64(40_000*e.rand.ExpFloat64())
			switch e.rand.IntN(6) {
			case 0, 1:
				e.note("%s/%d: is cut", e.label, e.number)
				return errCut
			case 2:
				e.note("%s/%d: says goodbye", e.label, e.number)
				return nil
			case 3, 4:
				held = e.now() + 300 + e.rand.Int64N(5000)
				e.note("%s/%d: stalls for %d ms", e.label, e.number, held-e.now())
			case 5:
				changes = true
			}
		}
		if key && changes {
			changes = false
			e.picture = 1 - e.picture
			e.note("%s/%d: another picture", e.label, e.number)
			if err := send(flv.Tag{Type: flv.TagVideo, Timestamp: e.stamp(at, leapt), Body: f.picture(keyframe, 0, packet{config: true, body: pictures[false][e.picture]})}); err != nil {
				return err
			}
		}
		tag := flv.Tag{Type: flv.TagAudio, Timestamp: e.stamp(at, leapt), Body: f.sounds(0, packet{body: mark(nil, 0x21, e.number, at)})}
		if isVideo {
			kind, nal := byte(interFrame), byte(0x41)
			if key {
				kind, nal = keyframe, 0x65
			}
			body := mark(nil, nal, e.number, at)
			tag = flv.Tag{Type: flv.TagVideo, Timestamp: tag.Timestamp, Body: f.picture(kind, 0, packet{body: append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)})}
			if video += step; e.half {
				video += step
			}
			began = true
		} else {
			audio += 128
		}
		if err := send(tag); err != nil {
			if !e.calm {
				e.note("%s/%d: is sent away: %v", e.label, e.number, err)
			} else {
				e.violate("N7", "%s: %v", e.label, err)
			}
			return err
		}
	}
}

// stamp is what RTMP says of a time of the program.
func (e *pusher) stamp(at, leapt int64) uint32 {
	return uint32(e.base + leapt + int64(math.Round(float64(at)*(1+e.drift))))
}

// mark is an access unit that says whose it is, and of when.
func mark(b []byte, nal byte, by int, at int64) []byte {
	return fmt.Appendf(append(b, nal), "%s%02x%012x", marker, by, at)
}

// taken is who took something, and when, ms.
type taken struct {
	by   int
	at   int64
	seen time.Time // when a list had it; zero for now
}

// marks are those in a part.
func marks(b []byte) (all []taken) {
	for {
		_, rest, ok := bytes.Cut(b, marker)
		if !ok || len(rest) < 14 {
			return all
		}
		var by int
		var ms int64
		if _, err := fmt.Sscanf(string(rest[:14]), "%02x%012x", &by, &ms); err == nil {
			all = append(all, taken{by: by, at: ms})
		}
		b = rest
	}
}

// look holds each Window to the laws.
func (p *broadcast) look(ctx context.Context) {
	name, _ := packager.ParseStreamName("live", "cam1")
	type key struct {
		id   packager.RenditionID
		name string
	}
	numbers := make(map[key]packager.MSN)
	seen := make(map[packager.RenditionID]packager.MSN)
	last := make(map[packager.RenditionID]taken)
	sequence := make(map[packager.RenditionID]int64)
	shown := make(map[packager.RenditionID]*showing)
	for ctx.Err() == nil {
		s, ok := p.catalog.Lookup(name)
		if !ok {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		w := s.Window()
		p.agree(w)
		for i := range w.Renditions {
			r := &w.Renditions[i]
			for _, s := range r.Segments {
				k := key{r.ID, s.Name()}
				if n, ok := numbers[k]; ok && n != s.MSN {
					p.violate("N5", "%s: %s has the number %d, it had %d", r.ID, s.Name(), s.MSN, n)
				}
				numbers[k] = s.MSN
				if s.MSN <= seen[r.ID] {
					continue
				}
				seen[r.ID] = s.MSN
				p.count[r.ID]++
				q := s.Header.Period.Sequence
				if q < sequence[r.ID] {
					p.violate("N5", "%s: segment %d has the discontinuity sequence %d behind %d", r.ID, s.MSN, q, sequence[r.ID])
				}
				sequence[r.ID] = q
				if shown[r.ID] == nil {
					shown[r.ID] = new(showing)
				}
				p.keeps(shown[r.ID], r.ID, s)
				for k, now := range p.taken(s) {
					at := now.at
					newest, ok := last[r.ID]
					before := newest.at
					// Where all that was sent of a keyframe's group is the keyframe, another encoder begins with that.
					again := at == before && now.by != newest.by && s.Header.Track.Kind() == remux.Video
					if ok && !again && at <= before-p.aside(r.ID, newest, now) {
						p.violate("N1", "%s: what was taken at %d ms comes behind %d ms", r.ID, at, before)
					}
					if step, whole := p.whole(r.ID); ok && whole && at != before+step {
						p.violate("N1", "%s: what was taken at %d ms comes behind %d ms, and nothing had happened to its encoder", r.ID, at, before)
					}
					if k == 0 && !s.Gaps && s.Independent && s.Header.Track.Kind() == remux.Video && !p.hurries(s) {
						p.shows(s, r.ID, at)
					}
					last[r.ID] = taken{now.by, now.at, time.Now()}
				}
			}
			if len(r.Segments) > 0 {
				hls.Media(w, r, hls.Full)
			}
		}
		if w.Playable() {
			hls.Multivariant(w)
			if _, err := dash.MPD(w); err != nil {
				p.violate("MPD", "%v", err)
			}
		}
		select {
		case <-w.Superseded():
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// showing is how far a rendition has come, for one that plays it.
type showing struct {
	before *packager.Segment
	until  time.Time // up to which there is media, or lists say that there is none
	media  time.Time // up to which there is media
	lasts  time.Duration
}

// keeps holds a closed segment to what lists say of it: it begins where the one before ends, media doesn't
// go back, nor in front of a gap where a period begins, and where none is for long, a gap is told. Players bridge what two frames last, and jump over 0.1 s;
// in front of more, that they were told is there, they stand.
func (p *broadcast) keeps(on *showing, id packager.RenditionID, s *packager.Segment) {
	const hole, back = 100 * time.Millisecond, 40 * time.Millisecond
	h, at := s.Header, s.PTS
	switch last := on.before; {
	case last == nil || last.Header.Period != h.Period:
		ends := on.until
		if s.Lead > 0 { // a gap in front of the end of another one shows nothing twice
			ends = on.media
		}
		if last != nil && ends.Sub(s.Time()) > max(back, on.lasts) {
			p.violate("lists", "%s: segment %d begins %v before what is shown of the one before ends", id, s.MSN, ends.Sub(s.Time()))
		}
		on.until = s.Time()
	default:
		inside := back // media may begin in a gap that was told, by half of what a picture lasts; a gap anywhere
		switch {
		case last.Gap(), last.Tail > 0 && s.Lead > 0:
			inside = math.MaxInt64
		case last.Tail > 0:
			inside = max(back, on.lasts/2)
		}
		if off := s.Time().Sub(last.Header.Time(last.PTS + last.Duration)); off > max(hole, on.lasts*3/4) || -off > inside {
			p.violate("lists", "%s: segment %d begins %v behind the end of the one before", id, s.MSN, off)
		}
	}
	on.before = s
	for _, part := range s.Parts {
		if at += part.Duration; part.Gap {
			on.until = h.Time(at)
			continue
		}
		samples, err := readSamples(part.Bytes)
		if err != nil {
			p.violate("N4", "%s: segment %d: %v", id, s.MSN, err)
			return
		}
		for _, sample := range samples {
			shown := sample.dts + sample.offset
			on.lasts = h.Time(shown + sample.duration).Sub(h.Time(shown))
			if d := h.Time(shown).Sub(on.until); d > max(hole, 2*on.lasts) {
				p.violate("lists", "%s: in segment %d nothing is shown for %v, and no gap is told", id, s.MSN, d)
			}
			on.until = later(on.until, h.Time(shown+sample.duration))
			on.media = later(on.media, on.until)
		}
		if d := on.until.Sub(h.Time(at)); d.Abs() > max(hole, on.lasts) {
			p.violate("lists", "%s: a part of segment %d ends %v behind where lists say", id, s.MSN, d)
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// hurries tells whether a segment begins with pictures that are shown for a moment each, or with one that isn't shown as
// long as the next, as lists had told of their time when they came. How long they are decoded says nothing: where each
// frame is a chunk, that is told of one before the next comes.
func (p *broadcast) hurries(s *packager.Segment) bool {
	const moment = 5 * time.Millisecond
	var shown []time.Time // and where the last of them ends
	for _, part := range s.Parts {
		samples, err := readSamples(part.Bytes)
		if err != nil {
			p.violate("N4", "segment %d: %v", s.MSN, err)
			return false
		}
		for _, sample := range samples {
			at := sample.dts + sample.offset
			shown = append(shown[:max(0, len(shown)-1)], s.Header.Time(at), s.Header.Time(at+sample.duration))
		}
	}
	lasts := func(i int) time.Duration { return shown[i+1].Sub(shown[i]) }
	return lasts(0) < moment || len(shown) > 2 && lasts(0) < lasts(1)-moment
}

// taken is what is in a segment.
func (p *broadcast) taken(s *packager.Segment) (all []taken) {
	for _, part := range s.Parts {
		all = append(all, marks(part.Bytes)...)
	}
	return all
}

// aside is how far what one encoder sends may lie from what another does, ms, where a
// rendition goes over from that to it. Where keyframes lie elsewhere, clocks run apart and
// the bytes of the sound differ, nothing that arrives tells where it belongs but when it
// arrives; and of pictures with timestamps of another base the keyframes, which are taken
// to be alike where they arrive that near to each other. Where all were gone in between, the line begins anew
// with whoever comes, and nothing tells either that what he sends arrives later than it did of the other.
func (p *broadcast) aside(id packager.RenditionID, before, now taken) int64 {
	const arrivalSlack, rough, frame = 300, 60, 128 // see remux
	anew := int64(0)
	if p.left(before.seen) {
		anew = max(0, p.pushers[now.by].lag-p.pushers[before.by].lag) + rough + frame
	}
	switch {
	case before.by == now.by:
		return 0
	case p.exact:
		return anew
	case id == "a1":
		return max(500, anew)
	case p.pushers[before.by].base != p.pushers[now.by].base:
		return max(arrivalSlack, anew)
	}
	return anew
}

// whole tells whether nothing may be missing in a picture, and how far its frames are
// apart, ms.
func (p *broadcast) whole(id packager.RenditionID) (step int64, whole bool) {
	for _, e := range p.pushers {
		if "v1"+e.label == string(id) {
			step, whole = int64(1000/p.fps), e.calm
			if e.half {
				step *= 2
			}
		}
	}
	return step, whole
}

// shows holds pictures of one time to be shown at one time, in all renditions of a
// period.
func (p *broadcast) shows(s *packager.Segment, id packager.RenditionID, at int64) {
	later := s.Time().Sub(p.began) - time.Duration(at)*time.Millisecond
	before, ok := p.later[s.Header.Period.ID]
	if !ok {
		p.later[s.Header.Period.ID] = later
		return
	}
	most := 20 * time.Millisecond // slewing, and the clock of another encoder's frames
	if !p.exact {
		most = 2 * time.Second
	}
	if d := (later - before).Abs(); d > most {
		p.violate("sync", "segment %d of %s shows what was taken at %d ms %v later, before it was %v", s.MSN, id, at, later, before)
	}
	p.later[s.Header.Period.ID] = later
}

// agree is the law of what all renditions have alike.
func (p *broadcast) agree(w *packager.Window) {
	type place struct {
		s      *packager.Segment
		id     packager.RenditionID
		behind bool // media
	}
	begins := make(map[packager.MSN]place)
	least, most := time.Time{}, time.Time{} // where renditions end
	newest := newestPeriod(w)
	for i := range w.Renditions {
		r := &w.Renditions[i]
		if len(r.Segments) == 0 {
			continue
		}
		end := newestEnd(r, newest)
		if least.IsZero() || end.Before(least) {
			least = end
		}
		if end.After(most) {
			most = end
		}
		for i, s := range r.Segments {
			if i > 0 && s.MSN != r.Segments[i-1].MSN+1 {
				p.violate("numbers", "%s: %d follows %d", r.ID, s.MSN, r.Segments[i-1].MSN)
			}
			if s.Seconds() > float64(w.TargetDuration)+0.5 {
				p.violate("target", "%s: segment %d lasts %v s, the target is %d", r.ID, s.MSN, s.Seconds(), w.TargetDuration)
			}
			// Behind a gap a segment begins with the first keyframe, which need not be that of the leader's: of a
			// gap is told before a leader that lags has come to where its segment ends.
			behind := i > 0 && !r.Segments[i-1].Gap() && r.Segments[i-1].Tail == 0
			before, ok := begins[s.MSN]
			if !ok || before.s.Header.Track.Kind() == remux.Video && (before.s.Lead > 0 || !before.behind) {
				begins[s.MSN] = place{s, r.ID, behind}
			}
			if !ok {
				continue
			}
			if s.Header.Period != before.s.Header.Period {
				p.violate("periods", "segment %d is of period %d in %s, of %d in %s", s.MSN, s.Header.Period.Sequence, r.ID, before.s.Header.Period.Sequence, before.id)
			}
			if s.Header.Track.Kind() != remux.Video || before.s.Header.Track.Kind() != remux.Video {
				continue
			}
			off := s.Time().Sub(before.s.Time()).Abs()
			if p.exact && s.Lead == 0 && before.s.Lead == 0 && behind && before.behind && s.Independent && before.s.Independent && off != 0 ||
				off > time.Duration(float64(time.Second)*(float64(w.TargetDuration)+1)) {
				p.violate("boundaries", "segment %d of %s begins %v from that of %s", s.MSN, r.ID, off, before.id)
			}
		}
	}
	const late = 4500 * time.Millisecond // that samples are waited for where they were late again and again
	if d := p.follows(most).Sub(least); d > late+3*w.PartTarget {
		p.violate("N10", "a rendition is at %v, another %v later", least.Sub(p.began), most.Sub(least))
	}
}

// follows is how far all are to follow the one that has come to most. Who comes first behind a
// silence of all is ahead by as much as that lasted, and what the others kept meanwhile is about
// to come: they follow at twice the pace of time, and no further than 5 s behind.
func (p *broadcast) follows(most time.Time) time.Time {
	const held, far = 500 * time.Millisecond, 5 * time.Second // see hurry
	now := time.Now()
	p.paced = p.paced.Add(2 * min(now.Sub(p.seen), held))
	p.seen = now
	if least := most.Add(-far); p.paced.Before(least) {
		p.paced = least
	}
	if p.paced.After(most) {
		p.paced = most
	}
	return p.paced
}

// newestPeriod is the newest period that there is a part of.
func newestPeriod(w *packager.Window) (newest *packager.Period) {
	for i := range w.Renditions {
		r := &w.Renditions[i]
		var period *packager.Period
		if len(r.Parts) > 0 {
			period = r.Header.Period
		} else if n := len(r.Segments); n > 0 {
			period = r.Segments[n-1].Header.Period
		}
		if period != nil && (newest == nil || period.Sequence > newest.Sequence) {
			newest = period
		}
	}
	return newest
}

// newestEnd is where the newest part of a rendition ends, in the newest period. Behind an
// outage of all, who has yet to come there is behind by what there is of that period.
func newestEnd(r *packager.Rendition, newest *packager.Period) time.Time {
	last := r.Segments[len(r.Segments)-1]
	header, end := last.Header, last.PTS+last.Duration
	if len(r.Parts) > 0 {
		header, end = r.Header, r.OpenPTS
		for _, part := range r.Parts {
			end += part.Duration
		}
	}
	at := header.Time(end)
	if begin := time.Unix(0, newest.Start); header.Period != newest && at.Before(begin) {
		return begin
	}
	return at
}
