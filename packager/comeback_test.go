package packager_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// Encoders of several qualities that were lost together come back one after another, with all
// that they have kept meanwhile: nothing of it is taken for missing.
func TestAllComeBack(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	set.SegmentMinDuration = time.Second
	for _, c := range []struct{ goes, otherGoes, back, otherBack int64 }{
		{9200, 9200, 10000, 10050},
		{9200, 9600, 10000, 10050},
		{9200, 9600, 10700, 10701},
		{9200, 9600, 10700, 10900},
		{9600, 10000, 10300, 10350},
		{9600, 9600, 10300, 10900},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			w := program(t, set, 20000, func(int64, *packager.Stream) {},
				pusher{label: "_1080p", order: 1, fps: 30, gop: 12, mute: true, gone: []away{{c.goes, c.back}}, cache: c.back - c.goes},
				pusher{label: "_720p", order: 2, fps: 30, gop: 12, mute: true, gone: []away{{c.otherGoes, c.otherBack}}, cache: c.otherBack - c.otherGoes})
			for i := range w.Renditions {
				r := &w.Renditions[i]
				have := make(map[int]int)
				for _, n := range units(r, "picture ") {
					have[n]++
				}
				for n := range 540 { // 18 s
					if have[n] != 1 {
						t.Errorf("%s has picture %d %d times", r.ID, n, have[n])
					}
				}
			}
		})
	}
}

// A publisher whose first keyframe comes when the others have just gone, and lies in front of where they
// were, goes on behind that: nothing that its rendition has comes again, and sound is heard at once.
func TestBehindWhoIsGone(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	for _, c := range []struct {
		label string
		first int // picture of it that is seen
	}{{"", 300}, {"_720p", 240}} {
		t.Run(c.label, func(t *testing.T) {
			w := program(t, set, 20000, func(ms int64, s *packager.Stream) {
				if ms%50 == 0 && !t.Failed() {
					agree(t, s.Window(), false)
				}
			},
				pusher{fps: 30, gop: 60, mark: "A", gone: []away{{9200, 99000}}},
				pusher{label: c.label, order: 1, fps: 30, gop: 60, mark: "B", from: 8500, lag: 1300})
			r, ok := w.Rendition(packager.RenditionID("v1" + c.label))
			if !ok {
				t.Fatal("the rendition is not there")
			}
			if all := units(r, "B picture "); len(all) < 200 || all[0] != c.first {
				t.Errorf("%d pictures of the other, from %v on", len(all), all[:min(len(all), 1)])
			}
			last := -1
			for _, n := range units(r, " picture ") {
				if n <= last {
					t.Errorf("picture %d comes behind %d", n, last)
				}
				last = n
			}
			a, _ := w.Rendition("a1")
			all := units(a, "sound ")
			for i := 1; i < len(all); i++ {
				if d := all[i] - all[i-1]; d < 1 || d > 8 {
					t.Errorf("sound %d comes behind %d", all[i], all[i-1])
				}
			}
			if len(all) < 800 {
				t.Errorf("%d units of sound", len(all))
			}
		})
	}
}

// Where such a publisher comes back, lists have told of gaps up to where the others were, or its rendition is new:
// none of its pictures is missing, and the period begins where lists end.
func TestBehindGapsOfWhoIsGone(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	for _, c := range []struct {
		name   string
		fps    float64
		frames bool // come one by one
		before int64
		gop    float64 // s
		goes   int64
		lag    int64
		delay  int32
	}{
		{"was there", 30, false, 0, 2, 9200, 1300, 0},
		{"is new", 30, false, 6500, 2, 9200, 1300, 0},
		{"few frames", 5, false, 0, 2, 9200, 1300, 0},
		{"frame by frame", 30, true, 0, 2, 9200, 1300, 0},
		{"more than a group", 30, false, 0, 1, 9200, 1300, 0},
		{"pictures out of order", 30, false, 0, 2, 9200, 1300, 6000},
		{"nearly a group", 30, false, 0, 2, 9950, 2200, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := set
			set.FrameFragments = c.frames
			w := program(t, set, 20000, func(ms int64, s *packager.Stream) {
				if ms%50 == 0 && !t.Failed() {
					agree(t, s.Window(), false)
				}
			},
				pusher{fps: 30, gop: 60, delay: c.delay, gone: []away{{c.goes, 99000}}},
				pusher{label: "_720p", order: 1, fps: c.fps, gop: int(c.gop * c.fps), lag: c.lag, delay: c.delay, from: c.before, gone: []away{{6500, 8500}}})
			r, ok := w.Rendition("v1_720p")
			if !ok {
				t.Fatal("the rendition is not there")
			}
			next := int(8 * c.fps)
			for _, n := range units(r, "_720p picture ") {
				if n >= int(7*c.fps) {
					if n != next {
						t.Fatalf("picture %d, not %d", n, next)
					}
					next++
				}
			}
			if next < int(float64((20000-c.lag)/2000*2)*c.fps) { // of segments that are closed
				t.Errorf("the last picture is %d", next-1)
			}
			checkPeriods(t, w)
			for i, s := range r.Segments {
				if i > 0 && s.Header == r.Header && r.Segments[i-1].Header == r.Header {
					if d := s.Time().Sub(r.Segments[i-1].Time()).Seconds() - r.Segments[i-1].Seconds(); math.Abs(d) > 0.001 {
						t.Errorf("segment %d begins %.3f s behind the one before", s.MSN, d)
					}
				}
				if !s.Gap() && (!s.Independent || s.Header.Period.Sequence == r.Header.Period.Sequence && s.Seconds() < 0.1) {
					t.Errorf("segment %d, at %v, lasts %.3f s, and begins with a keyframe: %v", s.MSN, s.Time().Sub(start), s.Seconds(), s.Independent)
				}
			}
		})
	}
}

// checkPeriods holds pictures of each period to be over where the next one begins.
func checkPeriods(t *testing.T, w *packager.Window) {
	t.Helper()
	starts := make(map[int64]int64)
	for i := range w.Renditions {
		for _, s := range w.Renditions[i].Segments {
			starts[s.Header.Period.Sequence] = s.Header.Period.Start
		}
	}
	for i := range w.Renditions {
		for _, s := range w.Renditions[i].Segments {
			end := s.Time().Add(time.Duration(s.Seconds() * float64(time.Second)))
			if start, ok := starts[s.Header.Period.Sequence+1]; ok && s.Header.Track.Kind() == remux.Video && end.Sub(time.Unix(0, start)) > 40*time.Millisecond {
				t.Errorf("%s: segment %d ends %v behind the beginning of the next period", w.Renditions[i].ID, s.MSN, end.Sub(time.Unix(0, start)))
			}
		}
	}
}

// A publisher that comes back with what it has kept, while another has begun a period with pictures in
// front of where it was, goes on behind those of its own: none comes again.
func TestNoPictureComesAgain(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	for _, back := range []int64{14000, 15168, 17000} {
		t.Run(fmt.Sprint(back), func(t *testing.T) {
			w := program(t, set, 24000, func(int64, *packager.Stream) {},
				pusher{fps: 30, gop: 30, gone: []away{{13272, back}}, cache: back - 12800},
				pusher{label: "_a", order: 1, fps: 30, gop: 30, lag: 785, gone: []away{{9983, 13107}}})
			for i := range w.Renditions {
				last, word := -1, " picture "
				if w.Renditions[i].ID == "a1" {
					word = "sound "
				}
				all := units(&w.Renditions[i], word)
				for _, n := range all {
					if n <= last {
						t.Errorf("%s: %d comes behind %d", w.Renditions[i].ID, n, last)
					}
					last = n
				}
				if len(all) < 400 {
					t.Errorf("%s has %d", w.Renditions[i].ID, len(all))
				}
			}
		})
	}
}

// Where all fall silent one after the other, and a period begins, those that were behind are filled segment
// by segment: none lasts longer than the target duration allows.
func TestSilentInTurn(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	w := program(t, set, 30000, func(ms int64, s *packager.Stream) {
		if ms%50 == 0 && !t.Failed() {
			agree(t, s.Window(), true)
		}
	},
		pusher{fps: 50, gop: 50, lag: 87, gone: []away{{22773, 24008}}, mute: true},
		pusher{label: "_a", order: 1, fps: 50, gop: 50, lag: 97, silent: []away{{21842, 25370}}},
		pusher{label: "_b", order: 2, fps: 50, gop: 50, lag: 1073, silent: []away{{15842, 18716}, {21200, 25861}}})
	for i := range w.Renditions {
		if n := len(w.Renditions[i].Segments); n < 13 {
			t.Errorf("%s has %d segments", w.Renditions[i].ID, n)
		}
	}
}

// Where a period begins with another publisher, in front of the end of the pictures of one that is gone, the
// gap that stands for that one begins behind them.
func TestGapBehindWhoIsGone(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	w := program(t, set, 20000, func(int64, *packager.Stream) {},
		pusher{fps: 25, gop: 75, lag: 89, gone: []away{{12427, 14398}}},
		pusher{label: "_a", order: 1, fps: 25, gop: 75, lag: 1130, gone: []away{{9212, 10474}}})
	for i := range w.Renditions {
		r := &w.Renditions[i]
		for k, s := range r.Segments[1:] {
			last := r.Segments[k]
			if d := last.Time().Add(time.Duration((last.Seconds() - last.Header.Seconds(last.Tail)) * 1e9)).Sub(s.Time()); d > 40*time.Millisecond && !last.Gap() {
				t.Errorf("%s: segment %d begins %v before the end of the one before", r.ID, s.MSN, d)
			}
		}
	}
}

// A rendition whose gap ended its segment before anybody knew that a period begins behind that goes over to
// the period with its next one: segments of one number are of one period.
func TestTurnBehindAGap(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	periods := make(map[*packager.Period]bool)
	w := program(t, set, 36000, func(ms int64, s *packager.Stream) {
		if ms%50 == 0 && !t.Failed() {
			for _, r := range s.Window().Renditions {
				for _, g := range r.Segments {
					periods[g.Header.Period] = true
				}
			}
			agree(t, s.Window(), false)
		}
	},
		pusher{fps: 30, gop: 30, lag: 110, from: 14916, cache: 1336},
		pusher{label: "_a", order: 1, fps: 30, gop: 30, lag: 140, gone: []away{{5182, 7119}}, silent: []away{{9355, 13789}, {20754, 23060}}},
		pusher{label: "_b", order: 2, fps: 12, gop: 12, lag: 132, gone: []away{{10073, 12528}, {19802, 21213}}},
		pusher{label: "_c", order: 3, fps: 12, gop: 12, lag: 192, gone: []away{{9432, 10540}}, changes: 16272})
	if _, ok := w.Rendition("v1_c"); !ok || len(periods) != 2 {
		t.Errorf("%d periods", len(periods))
	}
}

// Where all end a segment by themselves, as nobody leads, and one leads behind that, segments of one number
// begin alike again.
func TestLeadBehindASilence(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, false, time.Second, 30*time.Second
	w := program(t, set, 40000, func(int64, *packager.Stream) {},
		pusher{fps: 30, gop: 30, lag: 367, from: 3643, gone: []away{{9520, 10703}, {11803, 12669}}, silent: []away{{18097, 22893}}},
		pusher{label: "_a", order: 1, fps: 30, gop: 30, lag: 18, gone: []away{{15651, 18657}}, silent: []away{{6032, 10482}, {20831, 21804}}, mute: true})
	begins := make(map[packager.MSN]time.Time)
	for _, s := range w.Renditions[0].Segments {
		begins[s.MSN] = s.Time()
	}
	for _, s := range w.Renditions[1].Segments {
		if at, ok := begins[s.MSN]; ok && at.Sub(start) > 30*time.Second && !at.Equal(s.Time()) {
			t.Errorf("segment %d begins %v later", s.MSN, s.Time().Sub(at))
		}
	}
}

// An encoder that leaves behind its first keyframe has not told how long its pictures last. The one that
// stands by, whose pictures last longer than was taken for granted, goes on behind that keyframe: its own of
// that time doesn't come again.
func TestKeyframeOfWhoLeft(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	w := program(t, set, 14000, func(int64, *packager.Stream) {},
		pusher{label: "_a", order: 1, fps: 30, gop: 30},
		pusher{label: "_b", order: 2, fps: 30, gop: 30, mark: "first", gone: []away{{5000, 8990}, {9020, 99000}}},
		pusher{label: "_b", order: 2, fps: 10, gop: 10, mark: "second", from: 8500, lag: 10})
	r, ok := w.Rendition("v1_b")
	if !ok {
		t.Fatal("the rendition is not there")
	}
	first, second := units(r, "first picture "), units(r, "second picture ")
	if n := len(first); n == 0 || first[n-1] != 270 {
		t.Fatalf("the first encoder's pictures: %v", first)
	}
	if len(second) < 20 || second[0] != 100 { // the keyframe of 10 s
		t.Errorf("%d pictures of the second encoder: %v", len(second), second)
	}
}

// A picture that comes back is shown up to half of what it lasts in front of where lists have told the gap to
// end: what is told behind that is that much shorter, and the next segment begins where this one is told to end.
func TestBackIntoAGap(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	set.PartDuration = 200 * time.Millisecond
	for first := range 6 { // frames
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			w := program(t, set, 33000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 25, gop: 75, lag: 60},
				pusher{label: "_b", order: 2, fps: 6, gop: 18, first: first, lag: 150, mute: true, gone: []away{{18350, 20100}}})
			agree(t, w, false)
			r, _ := w.Rendition("v1_b")
			gaps := 0
			for _, s := range r.Segments {
				told := int64(0)
				for _, p := range s.Parts {
					told += p.Duration
					if p.Gap {
						gaps++
					}
				}
				if told != s.Duration {
					t.Errorf("segment %d lasts %d ticks, its parts %d", s.MSN, s.Duration, told)
				}
			}
			if gaps == 0 {
				t.Error("there is no gap")
			}
		})
	}
}

// Where one that stands by takes over at a keyframe, lists tell of a gap where nothing is shown in front of it:
// no segment begins more than 0.1 s behind the end of the one before.
func TestTakesOverBehindAHole(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	set.PartDuration = 200 * time.Millisecond
	for silent := int64(11700); silent < 12000; silent += 10 {
		t.Run(fmt.Sprint(silent), func(t *testing.T) {
			w := program(t, set, 20000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 25, gop: 75, silent: []away{{silent, 99000}}},
				pusher{label: "_a", order: 1, fps: 25, gop: 75, lag: 30},
				pusher{label: "_b", order: 2, fps: 25, gop: 75, mute: true})
			goesOnWithoutHole(t, w)
		})
	}
}

// Where one takes over up to half a frame in front of where the pictures of the one before end, each is decoded where the
// one in front of it ends, and lists say how long all of them last together.
func TestTakesOverInsideAFrame(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	for _, early := range []float64{10, 30, 60, 90} {
		for cut := int64(11000); cut < 13000; cut += 130 {
			t.Run(fmt.Sprintf("%v ms, at %d ms", early, cut), func(t *testing.T) {
				w := program(t, set, 16000, func(int64, *packager.Stream) {},
					pusher{label: "_a", order: 1, fps: 5, gop: 5, gone: []away{{cut, 99000}}},
					pusher{label: "_a", order: 1, fps: 60000 / (12000 - early), gop: 5, lag: 30},
					pusher{label: "_b", order: 2, fps: 5, gop: 5, mute: true})
				decodedInOrder(t, w)
			})
		}
		for back := int64(8000); back < 10000; back += 490 { // it takes over from one that is on air, whose last part is full
			t.Run(fmt.Sprintf("%v ms, back at %d ms", early, back), func(t *testing.T) {
				set := set
				set.BackupReturn, set.PartDuration = true, time.Second
				on := []string(nil)
				w := program(t, set, 16000, func(int64, *packager.Stream) {},
					pusher{label: "_a", order: 1, fps: 5, gop: 5, gone: []away{{6300, back}}, act: func(_ int64, c *packager.Contribution) {
						c.OnAir = func(cause packager.Cause) { on = append(on, string(cause)) }
					}},
					pusher{label: "_a", order: 1, fps: 60000 / (12000 + early), gop: 5, lag: 30},
					pusher{label: "_b", order: 2, fps: 5, gop: 5, mute: true})
				decodedInOrder(t, w)
				if fmt.Sprint(on) != "[return]" {
					t.Errorf("it went on air by %v", on)
				}
			})
		}
	}
}

// decodedInOrder holds the pictures of a period to begin where the ones before end, and lists to say how long they last.
func decodedInOrder(t *testing.T, w *packager.Window) {
	t.Helper()
	for i := range w.Renditions {
		r := &w.Renditions[i]
		for k, s := range r.Segments {
			if s.Header.Track.Kind() != remux.Video {
				continue
			}
			if k > 0 && r.Segments[k-1].Header.Period == s.Header.Period {
				last := r.Segments[k-1]
				if d := s.Time().Sub(last.Header.Time(last.PTS + last.Duration)); d < -2*time.Millisecond {
					t.Errorf("%s: segment %d begins %v in front of the end of the one before", r.ID, s.MSN, -d)
				}
			}
			init, err := mp4.DecodeFile(bytes.NewReader(s.Header.Bytes))
			if err != nil {
				t.Fatal(err)
			}
			next := uint64(0)
			for n, part := range s.Parts {
				if part.Gap {
					next = 0
					continue
				}
				file, err := mp4.DecodeFile(bytes.NewReader(part.Bytes))
				if err != nil {
					t.Fatal(err)
				}
				samples, err := file.Segments[0].Fragments[0].GetFullSamples(init.Init.Moov.Mvex.Trex)
				if err != nil {
					t.Fatal(err)
				}
				if samples[0].DecodeTime < next {
					t.Errorf("%s: part %d of segment %d is decoded %d ticks in front of the end of the one before", r.ID, n, s.MSN, next-samples[0].DecodeTime)
				}
				last := samples[len(samples)-1]
				next = last.DecodeTime + uint64(last.Dur)
			}
		}
	}
}

func goesOnWithoutHole(t *testing.T, w *packager.Window) {
	t.Helper()
	r, _ := w.Rendition("v1_a")
	for k, s := range r.Segments[1:] {
		last := r.Segments[k]
		if d := s.Time().Sub(last.Header.Time(last.PTS + last.Duration)); d > 100*time.Millisecond {
			t.Errorf("segment %d begins %v behind the end of the one before", s.MSN, d)
		}
	}
	if n := len(r.Segments); n < 5 {
		t.Errorf("%d segments", n)
	}
}

// So they do where frames are that long that less than two of them are missing, and the picture in front of the hole
// ended a full part.
func TestTakesOverBehindALongFrame(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	set.PartDuration = 200 * time.Millisecond
	for _, off := range []float64{10, 20, 30, 40, 50, 60} {
		t.Run(fmt.Sprint(off), func(t *testing.T) {
			goesOnWithoutHole(t, program(t, set, 16000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 12.5, gop: 37, silent: []away{{11700, 99000}}},
				pusher{label: "_a", order: 1, fps: 148000 / (11840 + off), gop: 37, lag: 30}, // 11.84 s: four groups
				pusher{label: "_b", order: 2, fps: 12.5, gop: 37, mute: true}))
		})
	}
	for _, fps := range []float64{5, 6, 7.5} { // one picture is missing
		t.Run(fmt.Sprintf("%v fps", fps), func(t *testing.T) {
			gop := int(2 * fps)
			silent := 12000 - int64(1500/fps)
			goesOnWithoutHole(t, program(t, set, 16000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: fps, gop: gop, silent: []away{{silent, 99000}}},
				pusher{label: "_a", order: 1, fps: fps, gop: gop, lag: 30},
				pusher{label: "_b", order: 2, fps: fps, gop: gop, mute: true}))
		})
	}
}

// The sound of another publisher, whose units lie elsewhere, goes on where that of the one before ends: nothing of it
// lies in front of that.
func TestSoundGoesOnElsewhere(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	for _, phase := range []int64{0, 300, 500, 520, 600, 1000} {
		t.Run(fmt.Sprint(phase), func(t *testing.T) {
			w := program(t, set, 16000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 30, gop: 60, gone: []away{{9230, 99000}}},
				pusher{label: "_b", order: 2, fps: 30, gop: 60, lag: 60, phase: phase})
			r, _ := w.Rendition("a1")
			if n := len(readBack(t, r)); n < 500 {
				t.Errorf("%d units of sound", n)
			}
		})
	}
}

// A period begins at a keyframe of the one that is left, which waited with another decoder, or has one now. Gaps that give
// renditions the numbers and the time that the sound has, which is further, end in front of that.
func TestGapInFrontOfAPeriod(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	set.PartDuration = time.Second
	for _, c := range []struct{ changes, gone int64 }{{8000, 8500}, {9500, 10100}, {10000, 10500}, {11500, 12100}, {8000, 5500}, {9500, 7300}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			w := program(t, set, 20000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 20, gop: 20, lag: 817, changes: c.changes, early: 110},
				pusher{label: "_b", order: 2, fps: 20, gop: 20, lag: 11, gone: []away{{c.gone, 99000}}})
			agree(t, w, false)
			checkPeriods(t, w)
		})
	}
}

// One that stands by with another decoder waits for the next segment to take over from one that stalls, which comes back
// before that, or behind, or it leaves itself. Nobody gets pictures of the one with the header of the other.
func TestComesBackBeforeATurn(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	for _, c := range []struct {
		first int // frames
		gone  []away
	}{{}, {20, nil}, {0, []away{{11300, 99000}}}, {20, []away{{11300, 99000}}}} {
		for back := int64(11000); back < 15000; back += 200 {
			t.Run(fmt.Sprint(c, " ", back), func(t *testing.T) {
				w := program(t, set, 24000, func(int64, *packager.Stream) {},
					pusher{label: "_a", order: 1, fps: 25, gop: 50, lag: 100},
					pusher{label: "_b", order: 2, fps: 25, gop: 50, mark: "one", silent: []away{{9700, back}}, mute: true},
					pusher{label: "_b", order: 2, fps: 25, gop: 50, mark: "two", first: c.first, lag: 50, changes: 1, mute: true, gone: c.gone})
				r, _ := w.Rendition("v1_b")
				for _, s := range r.Segments {
					for _, p := range s.Parts {
						width := s.Header.Track.Picture.Width
						if bytes.Contains(p.Bytes, []byte("one picture")) && width != 960 || bytes.Contains(p.Bytes, []byte("two picture")) && width != 640 {
							t.Fatalf("segment %d has pictures of another decoder: it is %d wide", s.MSN, width)
						}
					}
				}
				if all := units(r, " picture "); len(all) < 300 {
					t.Errorf("%d pictures", len(all))
				}
			})
		}
	}
}

// Behind a gap the first keyframe of one that is ahead ends no segment for all: the leader, which lags by more than a group of
// pictures, ends it at its own before that. Segments of one number begin alike again soon.
func TestStepsBehindAGap(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	set.TargetDuration = 4 * time.Second
	for _, back := range []int64{1000, 1500, 2000, 2500, 3000, 3500} { // behind the other's keyframe
		t.Run(fmt.Sprint(back), func(t *testing.T) {
			w := program(t, set, 30000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 25, gop: 25, lag: 1040, changes: 11000},
				pusher{label: "_b", order: 2, fps: 25, gop: 25, mute: true, gone: []away{{10300, 11000 + back}}})
			a, _ := w.Rendition("v1_a")
			b, _ := w.Rendition("v1_b")
			begins := make(map[packager.MSN]time.Time)
			for _, s := range a.Segments {
				begins[s.MSN] = s.Time()
			}
			for _, s := range b.Segments {
				if at := begins[s.MSN]; s.Time().Sub(start) > 18*time.Second && !at.IsZero() && !at.Equal(s.Time()) {
					t.Errorf("segment %d begins %v later", s.MSN, s.Time().Sub(at))
				}
			}
		})
	}
}

// It does so where no keyframe of the leader's can lie before it that would: as long behind where the segment begins as
// segments last at least. Nobody knows yet how long they last, as another one led before.
func TestEndsASegmentBehindAGap(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	set.TargetDuration = 4 * time.Second
	for _, lag := range []int64{600, 1040, 1500} {
		t.Run(fmt.Sprint(lag), func(t *testing.T) {
			w := program(t, set, 24000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 25, gop: 25, lag: lag, gone: []away{{10300, 11500 + lag}}},
				pusher{label: "_b", order: 2, fps: 25, gop: 25, mute: true, from: 3000, gone: []away{{11400, 13900}}})
			beginAlike(t, w, 13500*time.Millisecond)
		})
	}
}

// beginAlike holds segments of one number behind a moment to begin at one time, in v1_a and v1_b.
func beginAlike(t *testing.T, w *packager.Window, from time.Duration) {
	t.Helper()
	a, _ := w.Rendition("v1_a")
	b, _ := w.Rendition("v1_b")
	begins := make(map[packager.MSN]time.Time)
	for _, s := range a.Segments {
		begins[s.MSN] = s.Time()
	}
	compared := 0
	for _, s := range b.Segments {
		if at := begins[s.MSN]; s.Time().Sub(start) > from && !at.IsZero() {
			if compared++; !at.Equal(s.Time()) {
				t.Errorf("segment %d begins %v later", s.MSN, s.Time().Sub(at))
			}
		}
	}
	if compared < 4 {
		t.Errorf("only %d segments are behind it", compared)
	}
}

// One that stands by takes over from one that stalls, behind a hole that lists have not told as a gap yet. The
// leader has ended a segment in it: that says nothing of the rendition's keyframes, which end segments
// in the leader's place as before, when that stalls next.
func TestStepsBehindATakeover(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	for _, stalls := range []int64{11100, 11400, 11700} { // in front of the leader's end at 12 s
		t.Run(fmt.Sprint(stalls), func(t *testing.T) {
			w := program(t, set, 24000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 25, gop: 25, silent: []away{{13900, 15700}}},
				pusher{label: "_b", order: 2, fps: 25, gop: 25, mute: true, silent: []away{{stalls, 90000}}},
				pusher{label: "_b", order: 2, fps: 25, gop: 25, mute: true})
			beginAlike(t, w, 13500*time.Millisecond)
		})
	}
}

// One that is ahead of the leader comes back before that has come to where a segment ends, which lies in the
// gap. The keyframe goes over to the next segment, and the one in front of it ends with the gap as before.
func TestCarriesBehindAGap(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	set.TargetDuration = 4 * time.Second
	ends := 0
	for _, back := range []int64{12000, 12500, 13000, 13500} {
		w := program(t, set, 20000, func(int64, *packager.Stream) {},
			pusher{label: "_a", order: 1, fps: 25, gop: 25, lag: 1240},
			pusher{label: "_b", order: 2, fps: 25, gop: 25, mute: true, gone: []away{{10300, back}, {14300, back + 4000}}})
		b, _ := w.Rendition("v1_b")
		for _, s := range b.Segments {
			tail := int64(0)
			for i := len(s.Parts) - 1; i >= 0 && s.Parts[i].Gap && !s.Gap(); i-- {
				tail += s.Parts[i].Duration
			}
			if tail > 0 {
				ends++
			}
			if s.Tail != tail {
				t.Errorf("back at %d: segment %d says that it ends with %d ticks of a gap, its parts do with %d", back, s.MSN, s.Tail, tail)
			}
		}
	}
	if ends == 0 {
		t.Error("no segment ends with a gap")
	}
}

// One comes back while the leader stalls, and has ended the segment of the gap by itself. It leads from there on: that
// one has the end of that segment from it, and the next one ends alike in both.
func TestLeadsBehindAGap(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	set.TargetDuration = 3 * time.Second
	const back = 16000
	for _, stalled := range []int64{6300, 6900, 7700} { // so long is one waited for that stalled before
		t.Run(fmt.Sprint(stalled), func(t *testing.T) {
			w := program(t, set, 30000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 20, gop: 40, gone: []away{{12800, back}}},
				pusher{label: "_b", order: 2, fps: 20, gop: 40, mute: true, lag: 100, silent: []away{{2900, stalled}, {back - 2740, back + 1040}}})
			a, _ := w.Rendition("v1_a")
			b, _ := w.Rendition("v1_b")
			before := make(map[packager.MSN]*packager.Segment)
			for _, s := range a.Segments {
				before[s.MSN] = s
			}
			compared := 0
			for _, s := range b.Segments {
				o := before[s.MSN]
				if o == nil || s.Time().Sub(start) < time.Duration(back)*time.Millisecond || !s.Independent || s.Lead > 0 {
					continue
				}
				if compared++; !o.Time().Equal(s.Time()) {
					t.Errorf("segment %d begins %v later", s.MSN, s.Time().Sub(o.Time()))
				}
			}
			if compared < 4 {
				t.Errorf("only %d segments are behind it", compared)
			}
		})
	}
}

// The leader stalls, and another ends a segment by itself where that is as long as may be. Where a period begins before
// anybody lost patience, the leader has the same number, and no segment for that is longer than the target.
func TestEvenWithoutABeat(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	set.SegmentMinDuration, set.TargetDuration = time.Second, time.Second
	for stalls := int64(16300); stalls < 17000; stalls += 100 {
		t.Run(fmt.Sprint(stalls), func(t *testing.T) {
			w := program(t, set, 28000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 10, gop: 10, silent: []away{{8900, 10400}, {13900, 15900}, {stalls, 99000}}},
				pusher{label: "_a", order: 1, fps: 10, gop: 10, from: 20900, changes: 1},
				pusher{label: "_b", order: 2, fps: 10, gop: 10, first: 5, silent: []away{{18600, 99000}}})
			agree(t, w, false)
			if r, _ := w.Rendition("v1_a"); !slices.ContainsFunc(r.Segments, func(s *packager.Segment) bool { return s.Gap() }) {
				t.Error("there is no gap")
			}
		})
	}
}
