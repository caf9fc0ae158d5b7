package dash_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/packagertest"
	"github.com/sluice-live/sluice/remux"
)

// TestPicturesComeAndGo: while pictures are lost and come back, each Period has the same
// Representations at all times, each of which has no hole, and all are connected. Lost at
// each time of a segment, for each duration.
func TestPicturesComeAndGo(t *testing.T) {
	for _, tt := range []struct {
		name      string
		lost      []int
		at, while int // frames
		periods   int
	}{
		{"soon behind a keyframe", []int{1}, 10, 150, 3},
		{"in the middle", []int{1}, 25, 150, 3},
		{"just before a keyframe", []int{1}, 59, 150, 3},
		{"at a keyframe", []int{1}, 0, 150, 3},
		{"back at a keyframe", []int{2}, 30, 150, 3},
		{"back in the middle of a group", []int{1}, 40, 133, 3},
		{"the leader", []int{0}, 20, 160, 3},
		{"two of three, which come back one behind the other", []int{0, 2}, 20, 160, 4},
		{"all, which leaves holes", []int{0, 1, 2}, 20, 160, 1},
		{"longer than what is listed", []int{1}, 20, 700, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := packagertest.NewQualities(t)
			seen := lookAtPeriods(t, tt.periods == 1)
			f.Look(seen.look)
			f.Qualities(300 + tt.at)
			f.Lost = tt.lost
			f.Qualities(tt.while)
			f.Lost = nil
			f.Qualities(200)
			if len(seen.had) != tt.periods {
				t.Errorf("%d Periods, want %d: %v", len(seen.had), tt.periods, seen.had)
			}
			if want := []string{`"v1"`, `"v2"`, `"v3"`}; slices.ContainsFunc(want, func(id string) bool {
				return !strings.Contains(seen.newest(), "<Representation id="+id)
			}) {
				t.Errorf("not all are back:\n%s", seen.last)
			}
		})
	}
}

// periodsSeen is what manifests said.
type periodsSeen struct {
	t     *testing.T
	holes bool              // may be
	had   map[string]string // what Periods had, by their id
	last  string
}

func lookAtPeriods(t *testing.T, holes bool) *periodsSeen {
	return &periodsSeen{t: t, holes: holes, had: make(map[string]string)}
}

// newest is the newest Period of the last manifest.
func (p *periodsSeen) newest() string { return p.last[strings.LastIndex(p.last, "<Period"):] }

// look checks that each Period has what it had, and no hole, and is connected.
func (p *periodsSeen) look(w *packager.Window) {
	t := p.t
	if !w.Playable() {
		return
	}
	text, m := draw(t, w)
	p.last = text
	for i, period := range m.Periods {
		what := fmt.Sprint(*period.Start)
		for _, a := range period.AdaptationSets {
			what += fmt.Sprint(" ", *a.Id)
			for _, r := range a.Representations {
				what += " " + r.Id
				line := r.SegmentTemplate
				if line == nil {
					line = a.SegmentTemplate
				}
				for _, s := range line.SegmentTimeline.S[1:] {
					if s.T != nil && !p.holes {
						t.Errorf("%s of %s has a hole:\n%s", r.Id, period.Id, text)
					}
				}
			}
			if i > 0 && (len(a.SupplementalProperties) == 0 || a.SupplementalProperties[0].Value != m.Periods[i-1].Id) {
				t.Errorf("%s isn't connected:\n%s", period.Id, text)
			}
		}
		if p.had[period.Id] == "" {
			p.had[period.Id] = what
		}
		if had := p.had[period.Id]; had != what {
			t.Fatalf("%s had %s, has %s:\n%s", period.Id, had, what, text)
		}
	}
}

// TestPictureJoins: a picture that is pushed by itself joins the only one that there was,
// and is in a Period of its own time; that goes on when it is gone again.
func TestPictureJoins(t *testing.T) {
	seen := lookAtPeriods(t, false)
	p := pushes(t)
	for frame := range 36 * 30 {
		if frame < 20*30+5 && frame >= 8*30+17 {
			p.push(1, frame, frame)
		} else if frame == 20*30+5 {
			p.pushers[1].Close(errors.New("cut"))
		}
		p.push(0, frame, frame)
		seen.look(p.window())
		if frame > 5*30 && strings.Contains(seen.last, `target="4`) {
			t.Fatalf("frame %d: players are told to stay farther behind:\n%s", frame, seen.last)
		}
		if frame == 19*30 && !strings.Contains(seen.newest(), `id="v1_1"`) {
			t.Errorf("the second isn't there:\n%s", seen.last)
		}
	}
	if len(seen.had) != 3 {
		t.Errorf("%d Periods, want 3: %v", len(seen.had), seen.had)
	}
}

// TestPictureComesLater: of one encoder's pictures the last one arrives later. It is in the first Period where nobody
// was shown that without it; else in the next one.
func TestPictureComesLater(t *testing.T) {
	for _, of := range []int{2, 3} {
		for _, late := range []int{0, 1, 7, 17, 29, 45, 59, 70} { // frames
			t.Run(fmt.Sprintf("%d pictures, %d frames", of, late), func(t *testing.T) {
				seen := lookAtPeriods(t, false)
				p := pushes(t)
				last := of - 1
				id, first, periods := fmt.Sprintf(`id="v1_%d"`, last), "", 1
				for frame := range 8 * 30 {
					for who := range last {
						p.push(who, frame, frame)
					}
					if frame >= late {
						p.push(last, frame, frame-late)
					}
					seen.look(p.window())
					if first == "" {
						first = seen.last
					}
				}
				if late > 60 {
					periods = 2
				}
				if strings.Contains(first, id) != (periods == 1) {
					t.Errorf("the first manifest:\n%s", first)
				}
				if len(seen.had) != periods || !strings.Contains(seen.newest(), id) {
					t.Errorf("%d Periods, want %d:\n%s", len(seen.had), periods, seen.last)
				}
			})
		}
	}
}

// pushed is a stream that several push a picture to each, and sound.
type pushed struct {
	t       *testing.T
	now     time.Time
	catalog *packager.Catalog
	name    packager.StreamName
	pushers [3]*packager.Contribution
}

func pushes(t *testing.T) *pushed {
	p := &pushed{t: t, now: packagertest.Start}
	p.catalog = packager.NewCatalog(packager.Settings{
		Segments: 6, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second, PartDuration: 500 * time.Millisecond, Linger: time.Minute,
	}, func() time.Time { return p.now })
	var err error
	if p.name, err = packager.ParseStreamName("live", "cam1"); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pushed) window() *packager.Window {
	stream, ok := p.catalog.Lookup(p.name)
	if !ok {
		p.t.Fatal("there is no stream")
	}
	return stream.Window()
}

// push has one of them send what it has to at a frame of the clock.
func (p *pushed) push(who, clock, frame int) {
	p.t.Helper()
	p.now = packagertest.Start.Add(time.Duration(clock) * time.Second / 30)
	if p.pushers[who] == nil {
		c, err := p.catalog.Contribute(p.name, packager.Contributor{Label: fmt.Sprint("_", who), Order: who + 1})
		if err != nil {
			p.t.Fatal(err)
		}
		tracks := packagertest.Tracks()
		tracks[0].Picture.Width, tracks[0].Picture.Height = 960>>who, 540>>who
		if err := c.SetTracks(tracks); err != nil {
			p.t.Fatal(err)
		}
		p.pushers[who] = c
	}
	second := packagertest.Start.Unix()
	samples := []remux.Sample{{DTS: second*90000 + int64(frame)*3000, Duration: 3000, Sync: frame%60 == 0, Data: make([]byte, 2000)}}
	for n := (frame*1600 + 1023) / 1024; n*1024 < (frame+1)*1600; n++ {
		samples = append(samples, remux.Sample{Track: 1, DTS: second*48000 + int64(n)*1024, Duration: 1024, Sync: true, Data: make([]byte, 300)})
	}
	for _, s := range samples {
		if err := p.pushers[who].WriteSample(&s); err != nil {
			p.t.Fatal(err)
		}
	}
}

// TestEndsWithPicturesLost: what was received is listed where a stream ends, whenever that is.
func TestEndsWithPicturesLost(t *testing.T) {
	for frames := 0; frames < 130; frames += 7 {
		f := packagertest.NewQualities(t)
		f.Qualities(300)
		f.Lost = []int{1}
		f.Qualities(frames)
		f.Publication.Close(nil)
		w := f.Stream.Window()
		text, m := draw(t, w)
		var end uint64
		for _, a := range m.Periods[len(m.Periods)-1].AdaptationSets {
			for _, r := range a.Representations {
				if r.Id != "v1" {
					continue
				}
				for _, s := range r.SegmentTemplate.SegmentTimeline.S {
					if s.T != nil {
						end = *s.T
					}
					end += s.D * uint64(s.R+1)
				}
			}
		}
		list := w.Renditions[0].Segments
		if last := list[len(list)-1]; end+3000 < uint64(last.PTS+last.Duration) {
			t.Errorf("%d frames behind the loss: v1 is listed until %d, it ends at %d:\n%s", frames, end, last.PTS+last.Duration, text)
		}
	}
}
