package packager_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// pusher is one of several encoders that push one program. Its times are since the
// program began, in ms of the media.
type pusher struct {
	label   string
	order   int
	fps     float64
	gop     int   // frames
	cuts    []int // frames in which it makes another keyframe
	first   int   // frames in front of its first keyframe
	delay   int32 // ticks from when its pictures are decoded until they are shown
	lag     int64 // that its samples come behind their time
	early   int64 // that its sound comes before its pictures
	phase   int64 // ticks that the units of its sound begin later
	from    int64
	waits   bool   // its connection is there before its first keyframe
	tells   bool   // … from the beginning, and it says what it will send
	cache   int64  // how much that was before it sends at once where it begins
	gone    []away // its connection is lost
	silent  []away // its connection is there, and holds back all
	changes int64  // its decoder configuration does; 0: never
	mute    bool
	blind   bool   // it sends sound alone
	mark    string // what its pictures say instead of its label
	act     func(at int64, c *packager.Contribution)
}

// connection is one of a pusher.
type connection struct {
	*pusher
	c       *packager.Contribution
	told    bool // of its tracks
	changed bool
	next    int64 // time of the media that is next
}

var errCut = errors.New("cut")

// program plays what pushers send, and lets look after each sample.
func program(t *testing.T, set packager.Settings, length int64, look func(ms int64, s *packager.Stream), pushers ...pusher) *packager.Window {
	t.Helper()
	now := start
	catalog := packager.NewCatalog(set, func() time.Time { return now })
	name, err := packager.ParseStreamName("live", "cam1")
	if err != nil {
		t.Fatal(err)
	}
	all := make([]connection, len(pushers))
	for i := range pushers {
		all[i].pusher = &pushers[i]
	}
	tracks := func(k *connection) []remux.Track {
		v := video
		if k.changed {
			v = remux.TrackOf(&remux.H264{
				SPS: [][]byte{unhex("67640028ac761103c045fbc044000003000400000300f03c60c61180")}, PPS: [][]byte{unhex("68e8439cb22c00")},
				ChromaFormat: 1, BitDepth: [2]uint8{8, 8}, Picture: remux.Picture{Width: 640, Height: 360},
			})
		}
		v.ID = "v1"
		if k.blind {
			a := audible()
			a.ID = "a1"
			return []remux.Track{a}
		}
		if k.mute {
			return []remux.Track{v}
		}
		a := audible()
		a.ID = "a1"
		return []remux.Track{v, a}
	}
	emit := func(k *connection, at int64) {
		if k.waits && k.c == nil {
			if k.c, err = catalog.Contribute(name, packager.Contributor{Label: k.label, Order: k.order}); err != nil {
				t.Fatalf("%d ms, %s: %v", at, k.label, err)
			}
		}
		if k.act != nil && k.c != nil {
			k.act(at, k.c)
		}
		if n := int(math.Round(float64(at) * k.fps / 1000)); !k.blind && n >= k.first && int64(math.Round(float64(n)*1000/k.fps)) == at {
			key := (n-k.first)%k.gop == 0 || slices.Contains(k.cuts, n)
			if !k.told && key {
				if k.c == nil {
					k.c, err = catalog.Contribute(name, packager.Contributor{Label: k.label, Order: k.order})
				}
				if err != nil {
					t.Fatalf("%d ms, %s: %v", at, k.label, err)
				}
				k.told = true
				k.changed = k.changed || k.changes > 0 && at >= k.changes
				if err := k.c.SetTracks(tracks(k)); err != nil {
					t.Fatal(err)
				}
			}
			if k.told && key && k.changes > 0 && at >= k.changes && !k.changed {
				k.changed = true
				if err := k.c.SetTracks(tracks(k)); err != nil {
					t.Fatal(err)
				}
			}
			if k.told {
				write(t, k.c, remux.Sample{DTS: start.UnixMilli()*90 + at*90, CompositionOffset: k.delay, Duration: uint32(90000 / k.fps), Sync: key}, fmt.Sprintf("%s picture %d;", cmp.Or(k.mark, k.label), n))
			}
		}
		if at := at + k.early; !k.told && !k.blind || k.mute {
			return
		} else if n := (at*48 + 1023) / 1024; n*1024/48 == at {
			track := 1
			if k.blind {
				track = 0
			}
			if k.c == nil {
				if k.c, err = catalog.Contribute(name, packager.Contributor{Label: k.label, Order: k.order}); err != nil {
					t.Fatalf("%d ms, %s: %v", at, k.label, err)
				}
				if err := k.c.SetTracks(tracks(k)); err != nil {
					t.Fatal(err)
				}
			}
			write(t, k.c, remux.Sample{Track: track, DTS: start.UnixMilli()*48 + n*1024 + k.phase, Duration: 1024, Sync: true}, fmt.Sprintf("sound %d;", n))
		}
	}
	for ms := int64(0); ms < length; ms++ {
		now = start.Add(time.Duration(ms) * time.Millisecond)
		for i := range all {
			k := &all[i]
			if k.tells && k.c == nil {
				if k.c, err = catalog.Contribute(name, packager.Contributor{Label: k.label, Order: k.order}); err != nil {
					t.Fatal(err)
				}
				if err := k.c.SetTracks(tracks(k)); err != nil {
					t.Fatal(err)
				}
				k.told = true
			}
			switch at := ms - k.lag; {
			case ms < k.from || silent(k.gone, ms):
				if k.c != nil {
					k.c.Close(errCut)
					k.c, k.told = nil, false
				}
				k.next = at + 1 - k.cache
			case !silent(k.silent, ms): // what was held back comes at once
				for ; k.next <= at; k.next++ {
					emit(k, k.next)
				}
			}
		}
		if s, ok := catalog.Lookup(name); ok {
			look(ms, s)
		}
	}
	s, _ := catalog.Lookup(name)
	return s.Window()
}

func write(t *testing.T, c *packager.Contribution, s remux.Sample, payload string) {
	t.Helper()
	s.Data = []byte(payload)
	if err := c.WriteSample(&s); err != nil {
		t.Fatal(err)
	}
}

// agree checks what all renditions of a stream have alike: numbers, where segments begin
// (of pictures to the tick, if they are to), and discontinuities.
func agree(t *testing.T, w *packager.Window, exact bool) {
	t.Helper()
	type place struct {
		at     time.Time
		period *packager.Period
		id     packager.RenditionID
		starts int64 // what its name says, of a picture
		gap    bool
	}
	begins := make(map[packager.MSN]place)
	for _, r := range w.Renditions {
		for i, s := range r.Segments {
			if i > 0 && s.MSN != r.Segments[i-1].MSN+1 {
				t.Errorf("%s: number %d follows %d", r.ID, s.MSN, r.Segments[i-1].MSN)
			}
			if i > 0 {
				last := r.Segments[i-1]
				if d := last.Time().Add(time.Duration(last.Seconds() * float64(time.Second))).Sub(s.Time()); d > 40*time.Millisecond && !s.Gap() {
					t.Errorf("%s: segment %d begins %v before the end of the one before", r.ID, s.MSN, d)
				}
			}
			if i > 0 && s.Header.Period == r.Segments[i-1].Header.Period {
				last := r.Segments[i-1]
				if d := s.Time().Sub(last.Time()).Seconds() - last.Seconds(); math.Abs(d) > 0.04 {
					t.Errorf("%s: segment %d begins %v s behind the end of the one before", r.ID, s.MSN, d)
				}
			}
			if s.Seconds() > float64(w.TargetDuration)+0.5 {
				t.Errorf("%s: segment %d lasts %v s, the target is %d", r.ID, s.MSN, s.Seconds(), w.TargetDuration)
			}
			here := place{s.Time(), s.Header.Period, r.ID, 0, s.Gap()}
			if s.Header.Track.Kind() == remux.Video && !s.Gaps {
				here.starts = s.Start
			}
			before, ok := begins[s.MSN]
			if !ok {
				begins[s.MSN] = here
				continue
			}
			if here.period != before.period {
				t.Errorf("segment %d of %s is of another period than that of %s", s.MSN, r.ID, before.id)
			}
			within := 2100 * time.Millisecond
			if exact {
				if within = 30 * time.Millisecond; s.Header.Track.Kind() == remux.Video {
					within = 0
				}
			}
			if a, b := here.starts, before.starts; exact && a != 0 && b != 0 && a != b {
				t.Errorf("segment %d of %s starts %d ticks behind that of %s, as manifests say", s.MSN, r.ID, a-b, before.id)
			}
			if d := here.at.Sub(before.at).Abs(); d > within && !s.Gap() && !before.gap {
				t.Errorf("segment %d of %s begins %v from that of %s", s.MSN, r.ID, d, before.id)
			}
		}
	}
}

// pictures are what is in the listed segments of a rendition, in order.
func pictures(r *packager.Rendition, label string) (all []string) {
	for _, s := range r.Segments {
		for _, p := range s.Parts {
			rest := p.Bytes
			for {
				i := bytes.Index(rest, []byte(label+" picture "))
				if i < 0 {
					break
				}
				rest = rest[i+len(label)+9:]
				n := 0
				for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
					n++
				}
				all = append(all, string(rest[:n]))
			}
		}
	}
	return all
}

// units are the numbers of what is in the listed segments of a rendition, behind a word.
func units(r *packager.Rendition, word string) (all []int) {
	for _, s := range r.Segments {
		for _, p := range s.Parts {
			for rest := p.Bytes; ; {
				_, behind, ok := bytes.Cut(rest, []byte(word))
				if !ok {
					break
				}
				n := 0
				fmt.Sscan(string(behind[:min(len(behind), 6)]), &n)
				all, rest = append(all, n), behind
			}
		}
	}
	return all
}

// TestSeveralPushers: what several encoders push of one program is one stream.
func TestSeveralPushers(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	full := pusher{label: "_1080p", order: 1, fps: 30, gop: 60}
	half := pusher{label: "_720p", order: 2, fps: 30, gop: 60}
	with := func(p pusher, change func(*pusher)) pusher {
		change(&p)
		return p
	}
	for _, tt := range []struct {
		name    string
		pushers []pusher
		exact   bool
		periods int
		whole   bool // nothing is lost where a decoder begins anew
	}{
		{"alike", []pusher{full, half}, true, 1, false},
		{"the second is late", []pusher{full, with(half, func(p *pusher) { p.lag = 300 })}, true, 1, false},
		{"the first is late", []pusher{with(full, func(p *pusher) { p.lag = 1600 }), half}, true, 1, false},
		{"half the frames", []pusher{full, with(half, func(p *pusher) { p.fps, p.gop = 15, 30 })}, true, 1, false},
		{"twice the frames", []pusher{full, with(half, func(p *pusher) { p.fps, p.gop = 60, 120 })}, true, 1, false},
		{"NTSC", []pusher{with(full, func(p *pusher) { p.fps = 30000.0 / 1001 }), with(half, func(p *pusher) { p.fps = 30000.0 / 1001 })}, true, 1, false},
		{"half the interval", []pusher{full, with(half, func(p *pusher) { p.gop = 30 })}, true, 1, false},
		{"the second comes later", []pusher{full, with(half, func(p *pusher) { p.from = 9300 })}, true, 1, false},
		{"the second comes later, and late", []pusher{full, with(half, func(p *pusher) { p.from, p.lag = 9300, 900 })}, true, 1, false},
		{"the second comes later, and early", []pusher{with(full, func(p *pusher) { p.lag = 900 }), with(half, func(p *pusher) { p.from = 9300 })}, true, 1, false},
		{"the second is away", []pusher{full, with(half, func(p *pusher) { p.gone = []away{{9100, 14500}} })}, true, 1, false},
		{"the first is away", []pusher{with(full, func(p *pusher) { p.gone = []away{{9100, 14500}} }), half}, true, 1, false},
		{"the first is away for long", []pusher{with(full, func(p *pusher) { p.gone = []away{{9100, 31000}} }), half}, true, 1, false},
		{"the first is gone", []pusher{with(full, func(p *pusher) { p.gone = []away{{9100, 99000}} }), half}, true, 1, false},
		{"both in turn", []pusher{with(full, func(p *pusher) { p.gone = []away{{9100, 12500}} }), with(half, func(p *pusher) { p.gone = []away{{14100, 19500}} })}, true, 1, false},
		{"both, overlapping", []pusher{with(full, func(p *pusher) { p.gone = []away{{9100, 14500}} }), with(half, func(p *pusher) { p.gone = []away{{14100, 19500}} })}, true, 2, false},
		{"the first stalls", []pusher{with(full, func(p *pusher) { p.silent = []away{{9100, 14500}} }), half}, true, 1, false},
		{"the second stalls", []pusher{full, with(half, func(p *pusher) { p.silent = []away{{9100, 14500}} })}, true, 1, false},
		{"the second changes", []pusher{full, with(half, func(p *pusher) { p.changes = 12000 })}, true, 2, false},
		{"the second changes, and is late", []pusher{full, with(half, func(p *pusher) { p.changes, p.lag = 12000, 400 })}, true, 2, false},
		{"the first changes", []pusher{with(full, func(p *pusher) { p.changes = 12000 }), half}, true, 2, false},
		{"the second changes before", []pusher{with(full, func(p *pusher) { p.lag = 400 }), with(half, func(p *pusher) { p.changes = 12000 })}, true, 2, true},
		{"both change", []pusher{with(full, func(p *pusher) { p.changes = 12000 }), with(half, func(p *pusher) { p.changes, p.lag = 12000, 50 })}, true, 3, false},
		{"keyframes elsewhere", []pusher{full, with(half, func(p *pusher) { p.first = 21 })}, false, 1, false},
		{"another interval", []pusher{full, with(half, func(p *pusher) { p.gop = 90 })}, false, 1, false},
		{"three", []pusher{full, half, {label: "_360p", order: 3, fps: 30, gop: 60, lag: 100, mute: true}}, true, 1, false},
		{"few frames, and fewer", []pusher{with(full, func(p *pusher) { p.fps, p.gop, p.mute = 10, 20, true }), with(half, func(p *pusher) { p.fps, p.gop, p.mute = 5, 10, true })}, true, 1, false},
		{"few frames, and fewer, the first is gone", []pusher{with(full, func(p *pusher) { p.fps, p.gop, p.mute, p.gone = 10, 20, true, []away{{8950, 99000}} }), with(half, func(p *pusher) { p.fps, p.gop, p.mute = 5, 10, true })}, true, 1, false},
		{"few frames of both", []pusher{with(full, func(p *pusher) { p.fps, p.gop, p.mute = 5, 10, true }), with(half, func(p *pusher) { p.fps, p.gop, p.mute = 5, 10, true })}, true, 1, false},
		{"without sound first", []pusher{with(full, func(p *pusher) { p.mute = true }), half}, true, 1, false},
		{"the second changes, and the first goes soon", []pusher{with(full, func(p *pusher) { p.gone = []away{{13900, 99000}} }), with(half, func(p *pusher) { p.changes, p.gop = 12000, 30 })}, true, 2, false},
		{"the second changes, and the first goes soon, late", []pusher{with(full, func(p *pusher) { p.gone, p.lag = []away{{14500, 99000}}, 600 }), with(half, func(p *pusher) { p.changes, p.gop = 12000, 30 })}, false, 2, false},
		{"the first goes, and the second changes, late", []pusher{with(full, func(p *pusher) { p.gone = []away{{13200, 99000}} }), with(half, func(p *pusher) { p.changes, p.lag = 12000, 1500 })}, true, 2, false},
		{"the first goes, whose sound is ahead, and the second changes", []pusher{with(full, func(p *pusher) { p.gone, p.early = []away{{11950, 99000}}, 500 }), with(half, func(p *pusher) { p.changes = 12000 })}, false, 2, false},
		{"both begin with a burst", []pusher{with(full, func(p *pusher) { p.lag = -2500 }), with(half, func(p *pusher) { p.lag = -2500 })}, true, 1, false},
		{"both begin with a burst, one a little later", []pusher{with(full, func(p *pusher) { p.lag, p.from = -2500, 10 }), with(half, func(p *pusher) { p.lag, p.from, p.cache = -2500, 40, 2540 })}, true, 1, false},
		{"the first begins with a burst", []pusher{with(full, func(p *pusher) { p.lag = -2500 }), half}, true, 1, false},
		{"the second begins with a burst", []pusher{full, with(half, func(p *pusher) { p.lag = -2500 })}, true, 1, false},
		{"the second comes with what was before", []pusher{full, with(half, func(p *pusher) { p.from, p.cache = 9300, 2500 })}, true, 1, false},
		{"the first stalls with the second", []pusher{with(full, func(p *pusher) { p.silent = []away{{9100, 14500}} }), with(half, func(p *pusher) { p.silent = []away{{9100, 14502}} })}, true, 1, false},
		{"a backup", []pusher{full, full}, true, 1, false},
		{"a backup, the first lost", []pusher{with(full, func(p *pusher) { p.gone = []away{{9100, 99000}} }), full}, true, 1, false},
		{"a backup, the first silent", []pusher{with(full, func(p *pusher) { p.silent = []away{{9100, 19000}} }), full}, true, 1, false},
		{"a backup that is late, the first lost", []pusher{with(full, func(p *pusher) { p.gone = []away{{9100, 14000}} }), with(full, func(p *pusher) { p.lag = 400 })}, true, 1, false},
		{"a backup of one of two", []pusher{with(full, func(p *pusher) { p.gone = []away{{9100, 14000}} }), full, half}, true, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := program(t, set, 36000, func(ms int64, s *packager.Stream) {
				if ms%50 == 0 && !t.Failed() {
					agree(t, s.Window(), tt.exact)
				}
			}, tt.pushers...)
			periods := make(map[*packager.Period]bool)
			for i := range w.Renditions {
				r := &w.Renditions[i]
				for _, s := range r.Segments {
					periods[s.Header.Period] = true
					if s.Header.Track.Kind() == remux.Video && tt.exact && !s.Independent {
						t.Errorf("segment %d of %s begins without a keyframe", s.MSN, r.ID)
					}
				}
				for _, s := range r.Segments {
					if s.Gaps && strings.Contains(tt.name, "burst") {
						t.Errorf("segment %d of %s has a gap", s.MSN, r.ID)
					}
				}
				if n := len(r.Segments); n < 8 || r.Open < w.Renditions[0].Open-1-packager.MSN(max(0, -tt.pushers[0].lag/2000)) {
					t.Errorf("%s has %d segments, and is at %d", r.ID, n, r.Open)
				}
			}
			if len(periods) != tt.periods {
				t.Errorf("%d periods, not %d", len(periods), tt.periods)
			}
			if r, ok := w.Rendition("a1"); ok {
				for i, all := 1, units(r, "sound "); i < len(all); i++ {
					if all[i] <= all[i-1] {
						t.Errorf("sound %d comes behind %d", all[i], all[i-1])
					}
				}
			}
			for _, p := range tt.pushers {
				r, ok := w.Rendition(packager.RenditionID("v1" + p.label))
				if !ok {
					t.Fatalf("%s is not there", p.label)
				}
				all := pictures(r, p.label)
				for i := 1; i < len(all); i++ {
					var a, b int
					fmt.Sscan(all[i-1], &a)
					fmt.Sscan(all[i], &b)
					if b <= a || b != a+1 && len(p.gone)+len(p.silent) == 0 && (p.changes == 0 || tt.whole) && len(tt.pushers) == 2 && tt.pushers[0].label != tt.pushers[1].label {
						t.Errorf("%s: picture %d follows %d", p.label, b, a)
					}
				}
			}
		})
	}
}

// TestBackupByHand: an operator lets the one that stands by go on air, and back again;
// nothing is lost, doubled or out of order, and no period begins.
func TestBackupByHand(t *testing.T) {
	for _, lag := range []int64{0, 20, 400, -300} {
		t.Run(fmt.Sprint(lag), func(t *testing.T) {
			set := settings
			set.Segments, set.Backup, set.BackupAfter = 100, true, time.Second
			first, second := pusher{fps: 30, gop: 60, mark: "A"}, pusher{fps: 30, gop: 60, mark: "B"}
			if lag > 0 {
				second.lag = lag
			} else {
				first.lag, second.from = -lag, 1000
			}
			var causes []packager.Cause
			first.act = func(at int64, c *packager.Contribution) {
				c.OnAir = func(cause packager.Cause) { causes = append(causes, cause) }
				if at == 15000 {
					if err := c.TakeOver(); err != nil {
						t.Errorf("the first: %v", err)
					}
				}
			}
			second.act = func(at int64, c *packager.Contribution) {
				c.OnAir = func(cause packager.Cause) { causes = append(causes, cause) }
				if at == 7000 {
					if err := c.TakeOver(); err != nil {
						t.Errorf("the second: %v", err)
					}
				}
				if at == 11000 && c.TakeOver() == nil {
					t.Error("it takes over from itself")
				}
			}
			w := program(t, set, 24000, func(int64, *packager.Stream) {}, first, second)
			agree(t, w, true)
			r := &w.Renditions[0]
			n := 0
			text, by := "", byte(0)
			for _, s := range r.Segments {
				if s.Header.Period != r.Segments[0].Header.Period || !s.Independent || s.Gaps {
					t.Errorf("segment %d: another period, no keyframe, or a gap", s.MSN)
				}
				for _, m := range marked(s) {
					if m.by != by {
						text, by = text+string(m.by), m.by
					}
					if m.n != n {
						t.Fatalf("picture %d of %c comes where %d should", m.n, m.by, n)
					}
					n++
				}
			}
			if text != "ABA" || fmt.Sprint(causes) != "[hand hand]" || n < 600 {
				t.Errorf("on air were %s with %d pictures, by %v", text, n, causes)
			}
		})
	}
}

// TestBackupReturns: with BackupReturn the first one goes on air again once it is back,
// without it it stands by.
func TestBackupReturns(t *testing.T) {
	for _, returns := range []bool{false, true} {
		for name, change := range map[string]func(p *pusher){
			"lost":    func(p *pusher) { p.gone = []away{{7100, 12000}} },
			"stalled": func(p *pusher) { p.silent = []away{{7100, 12000}} },
		} {
			t.Run(fmt.Sprintf("%s, returns: %v", name, returns), func(t *testing.T) {
				set := settings
				set.Segments, set.Backup, set.BackupAfter, set.BackupReturn = 100, true, time.Second, returns
				first, second := pusher{fps: 30, gop: 60, mark: "A"}, pusher{fps: 30, gop: 60, mark: "B"}
				change(&first)
				w := program(t, set, 30000, func(int64, *packager.Stream) {}, first, second)
				agree(t, w, true)
				text, by, last, most := "", byte(0), -1, 0
				for _, s := range w.Renditions[0].Segments {
					if s.Header.Period != w.Renditions[0].Segments[0].Header.Period {
						t.Error("a period began")
					}
					for _, m := range marked(s) {
						if m.by != by {
							text, by = text+string(m.by), m.by
						}
						if m.n <= last {
							t.Errorf("picture %d of %c comes behind %d", m.n, m.by, last)
						}
						most, last = max(most, m.n-last), m.n
					}
				}
				want := "AB"
				if returns {
					want = "ABA"
				}
				if text != want || most > 3*30 || last < 830 { // a second of silence, and a GOP
					t.Errorf("on air were %s, not %s; the longest gap was %d pictures, the last is %d", text, want, most, last)
				}
			})
		}
	}
}

// mark is which picture of whom.
type mark struct {
	by byte
	n  int
}

func marked(s *packager.Segment) (all []mark) {
	for _, p := range s.Parts {
		rest := p.Bytes
		for {
			i := bytes.Index(rest, []byte(" picture "))
			if i < 1 {
				break
			}
			m := mark{by: rest[i-1]}
			fmt.Sscan(string(rest[i+9:min(len(rest), i+15)]), &m.n)
			all, rest = append(all, m), rest[i+9:]
		}
	}
	return all
}
