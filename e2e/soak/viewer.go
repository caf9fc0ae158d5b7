package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/sluice-live/sluice/e2e/lists"
)

// player asks the server for things, by connections of its own.
type player struct {
	w      *world
	base   string // below it are the stream's files
	name   string
	client *http.Client
	rand   *rand.Rand
	body   bytes.Buffer // of the answer before
}

func newPlayer(w *world, group, number int, name string) *player {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return dial(ctx, addr, group, number)
		},
		DisableCompression: true,
	}
	return &player{
		w: w, base: "http://" + w.server.http + "/live/" + name + "/", name: name,
		client: &http.Client{Transport: transport, Timeout: 4 * holdTime},
		rand:   w.random(uint64(group)<<32 | uint64(number)),
	}
}

func (p *player) leave() { p.client.CloseIdleConnections() }

// answer is what a viewer gets. Its body is valid until the next one.
type answer struct {
	code      int
	body      []byte
	broken    bool // off, before its end
	asked, at time.Time
}

func (a *answer) held() time.Duration { return a.at.Sub(a.asked) }

// get is an error only where there is no answer, which no viewer should see.
func (p *player) get(ctx context.Context, file string) *answer {
	a := &answer{asked: time.Now()}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+file, nil)
	if err != nil {
		p.w.violate("N6", "%q is no URL: %v", file, err)
		return a
	}
	resp, err := p.client.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			p.w.violate("N7", "%s/%s: %v", p.name, file, err)
		}
		return a
	}
	defer resp.Body.Close()
	p.body.Reset()
	_, err = io.Copy(&p.body, resp.Body)
	a.code, a.body, a.broken, a.at = resp.StatusCode, p.body.Bytes(), err != nil, time.Now()
	if a.code >= 500 && a.code != http.StatusServiceUnavailable {
		p.w.violate("N6", "%s/%s: %d", p.name, file, a.code)
	}
	return a
}

// fetch gets what a list announces (N6), and holds it to what it was (N5).
func (p *player) fetch(ctx context.Context, file string) []byte {
	a := p.get(ctx, file)
	if ctx.Err() != nil {
		return nil
	}
	if a.code != http.StatusOK || a.broken {
		p.w.violate("N6", "%s/%s, which is listed: %d after %v, broken off: %v", p.name, file, a.code, a.held(), a.broken)
		return nil
	}
	p.w.same(p.name+"/"+file, a.body)
	return a.body
}

// list gets a media playlist; nil where there is none for now.
func (p *player) list(ctx context.Context, file, query string) *lists.Playlist {
	key := p.name + "/" + file
	floor := p.w.floor(key)
	a := p.get(ctx, file+query)
	if a.code == 0 {
		return nil
	}
	if most := holdTime + 2*time.Second; a.held() > most {
		p.w.violate("N6", "%s%s: answered after %v", key, query, a.held())
	}
	switch a.code {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusServiceUnavailable: // the stream hasn't begun, or waits
		return nil
	default:
		if a.code != http.StatusBadRequest || query == "" { // the stream is another one by now
			p.w.violate("N6", "%s%s: %d %.80q", key, query, a.code, a.body)
		}
		return nil
	}
	l, err := parsePlaylist(string(a.body))
	if err != nil {
		p.w.violate("N6", "%s: %v", key, err)
		return nil
	}
	p.w.raise(key, floor, [2]int64{l.Sequence, l.Discontinuity})
	p.w.add("playlists", 1)
	return l
}

const rest = 200 * time.Millisecond // of one who was told to come later

// viewer plays LL-HLS: it waits for the next part, and reads the playlist.
type viewer struct{ *player }

func newViewer(w *world, number int, name string) viewer {
	return viewer{newPlayer(w, 2, number, name)}
}

func (v viewer) watch(ctx context.Context, rendition string) {
	defer v.leave()
	pause(ctx, time.Duration(v.rand.IntN(3000))*time.Millisecond)
	file, query := rendition+".m3u8", ""
	known := ""
	for ctx.Err() == nil {
		l := v.list(ctx, file, query)
		if l == nil || l.Ended {
			query, known = "", ""
			pause(ctx, rest)
			continue
		}
		if l.Open.Header != known {
			v.fetch(ctx, l.Open.Header)
			known = l.Open.Header
		}
		if v.rand.IntN(50) == 0 { // sometimes one looks back
			if s := l.Segments[v.rand.IntN(len(l.Segments))]; !s.Gap {
				v.fetch(ctx, s.URI)
			}
		}
		if n := len(l.Open.Parts); n > 0 && v.rand.IntN(20) == 0 {
			if part := l.Open.Parts[v.rand.IntN(n)]; !part.Gap {
				v.fetch(ctx, part.URI)
			}
		}
		if l.Hint != "" {
			v.part(ctx, l.Hint)
		}
		query = fmt.Sprintf("?_HLS_msn=%d&_HLS_part=%d", l.Next(), len(l.Open.Parts))
	}
}

// part waits for a part that is hinted at. It needn't come: the encoder may be lost.
func (v viewer) part(ctx context.Context, hint string) {
	a := v.get(ctx, hint)
	switch a.code {
	case 0, http.StatusServiceUnavailable, http.StatusNotFound:
		return
	case http.StatusOK:
	default:
		v.w.violate("N6", "the hint %s/%s: %d", v.name, hint, a.code)
		return
	}
	v.w.same(v.name+"/"+hint, a.body)
	v.w.add("parts", 1)
	u, ok := lastUnit(a.body)
	if !ok && bytes.HasSuffix(a.body, silence) { // see there: the witness counts it
		return
	}
	if !ok {
		v.w.violate("N4", "%s/%s has no unit in it", v.name, hint)
		return
	}
	// What it waited for is known where it was there before the part was.
	if sent, ok := v.w.sentAt(u); ok && a.asked.Before(sent) {
		v.w.late(a.at.Sub(sent))
	}
}

// witness downloads a whole rendition.
type witness struct {
	*player
	rendition string
	have      map[string]bool
	want      []byte // a unit as it was sent
	line      struct {
		header string
		next   uint64
		uri    string
	}
}

func newWitness(w *world, number int, rendition string) *witness {
	group := 3
	if rendition == "a1" {
		group = 4
	}
	return &witness{player: newPlayer(w, group, number, stream(number)), rendition: rendition,
		have: make(map[string]bool)}
}

func (v *witness) follow(ctx context.Context) {
	defer v.leave()
	query := ""
	for ctx.Err() == nil {
		l := v.list(ctx, v.rendition+".m3u8", query)
		if l == nil {
			query = ""
			pause(ctx, rest)
			continue
		}
		before := len(v.have)
		for _, s := range l.Segments {
			if !v.have[s.URI] {
				v.have[s.URI] = true
				if !s.Gap { // a gap has nothing to fetch, and what is behind it begins anew
					v.look(ctx, s)
				}
				if s.Gap || s.Gaps() > 0 {
					v.line.header = ""
				}
			}
		}
		if query = fmt.Sprintf("?_HLS_msn=%d", l.Next()); l.Ended || len(v.have) == before {
			query = ""
			pause(ctx, rest)
		}
	}
}

// look reads all units of a segment: each is decoded where the one before ends
// (N4), and has the bytes that were sent.
func (v *witness) look(ctx context.Context, s lists.Segment) {
	body := v.fetch(ctx, s.URI)
	if body == nil {
		return
	}
	file, err := mp4.DecodeFile(bytes.NewReader(body))
	if err != nil || len(file.Segments) != 1 {
		v.w.violate("N4", "%s/%s: %v", v.name, s.URI, err)
		return
	}
	v.w.add("segments", 1)
	const mostSilent = sampleRate / 1024 // units of a second
	first, silent := true, 0
	for _, f := range file.Segments[0].Fragments {
		samples, err := f.GetFullSamples(nil)
		if err != nil {
			v.w.violate("N4", "%s/%s: %v", v.name, s.URI, err)
			return
		}
		for _, sample := range samples {
			goesOn := !first || v.line.header == s.Header && !v.crossed(s.URI)
			if goesOn && sample.DecodeTime != v.line.next || sample.Dur == 0 {
				v.w.violate("N4", "%s/%s: a sample of %d ticks at %d, the one before ends at %d", v.name, s.URI, sample.Dur, sample.DecodeTime, v.line.next)
			}
			first, v.line.header, v.line.next = false, s.Header, sample.DecodeTime+uint64(sample.Dur)
			if v.rendition == "a1" && bytes.Equal(sample.Data, silence) {
				v.w.add("access units of silence", 1)
				if silent++; silent == mostSilent {
					v.w.violate("N1", "%s/%s: a second of silence", v.name, s.URI)
				}
				continue
			}
			u, ok := lastUnit(sample.Data)
			if !ok {
				v.w.violate("N1", "%s/%s: a sample of %d bytes without a name: %.20x", v.name, s.URI, len(sample.Data), sample.Data)
				continue
			}
			if v.want = v.w.sample.payload(v.want[:0], u); !bytes.Equal(v.want, sample.Data) {
				v.w.violate("N4", "%s/%s: %v has other bytes than were sent", v.name, s.URI, u)
			}
			v.w.see(u, v.name+"/"+s.URI)
		}
	}
	v.line.uri = s.URI
}

// crossed tells whether a segment is of another period than the one before:
// its name begins with the period's.
func (v *witness) crossed(uri string) bool {
	period := func(s string) string { return s[:max(0, strings.LastIndexByte(s, '-'))] }
	return period(uri) != period(v.line.uri)
}

// dashViewer reads manifests, and what comes newest in them, complete or in
// production.
type dashViewer struct{ *player }

func newDashViewer(w *world, number int, name string) dashViewer {
	return dashViewer{newPlayer(w, 5, number, name)}
}

func (v dashViewer) watch(ctx context.Context) {
	defer v.leave()
	pause(ctx, time.Duration(v.rand.IntN(3000))*time.Millisecond)
	have := make(map[string]bool)
	for ctx.Err() == nil {
		a := v.get(ctx, "index.mpd")
		if a.code != http.StatusOK {
			pause(ctx, rest)
			continue
		}
		v.w.add("manifests", 1)
		m, err := lists.ParseMPD("", a.body)
		if err != nil || len(m.Periods) == 0 {
			v.w.violate("N6", "%s/index.mpd: no periods, or %v", v.name, err)
			continue
		}
		fresh := false
		for set := range 2 {
			header, urls := newest(m, set, 2)
			for _, url := range append([]string{header}, urls...) {
				if url != "" && !have[url] {
					have[url], fresh = true, true
					v.segment(ctx, url)
				}
			}
		}
		if len(have) > 1000 {
			clear(have)
		}
		if !fresh {
			pause(ctx, 2*rest)
		}
	}
}

// segment gets a segment that may be in production. It is broken off where the
// encoder is lost, and then must not pass for whole.
func (v dashViewer) segment(ctx context.Context, url string) {
	a := v.get(ctx, url)
	switch {
	case ctx.Err() != nil || a.broken || a.code == 0 || a.code == http.StatusServiceUnavailable:
	case a.code == http.StatusOK:
		v.w.same(v.name+"/"+url, a.body)
		v.w.add("DASH segments", 1)
	case a.code == http.StatusNotFound:
		// The one in production comes to nothing where its encoder is lost
		// before a frame of it.
		v.w.add("DASH segments that came to nothing", 1)
	default:
		v.w.violate("N6", "%s/%s, which the manifest lists: %d", v.name, url, a.code)
	}
}
