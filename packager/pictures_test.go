package packager_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// picture is one of several pictures of a stream.
type picture struct {
	fps        float64
	gop, first int           // frames between keyframes, and in front of the first
	early      time.Duration // that its frames come before others that are as old
	away       []away
}

// playPictures plays several pictures and a sound for so long, and returns the last
// Window. The sound is the last track.
func playPictures(t *testing.T, set packager.Settings, length time.Duration, look func(*packager.Window), pictures ...picture) *packager.Window {
	t.Helper()
	var tracks []remux.Track
	for i, p := range pictures {
		track := video
		track.ID, track.KeyframeInterval = fmt.Sprintf("v%d", i+1), time.Duration(float64(p.gop)/p.fps*float64(time.Second))
		tracks = append(tracks, track)
	}
	sound := audible()
	sound.ID = "a1"
	s, f := publish(t, set, append(tracks, sound)...)
	f.watch = func() { look(s.Window()) }
	next := make([]int, len(pictures)+1) // sample of each track
	at := func(track int) time.Duration {
		if track == len(pictures) {
			return time.Duration(next[track]) * 1024 * time.Second / 48000
		}
		ms := float64(pictures[track].first+next[track]) * 1000 / pictures[track].fps
		return time.Duration(math.Round(ms)) * time.Millisecond
	}
	comes := func(track int) time.Duration {
		if track < len(pictures) {
			return at(track) - pictures[track].early
		}
		return at(track)
	}
	for {
		track := 0
		for i := range next {
			if comes(i) < comes(track) {
				track = i
			}
		}
		if at(track) >= length {
			break
		}
		sample := remux.Sample{Track: track, Duration: 1024, Sync: true, DTS: start.Unix()*48000 + int64(next[track])*1024}
		if track < len(pictures) {
			p := pictures[track]
			sample.DTS = start.Unix()*90000 + int64(at(track)/time.Millisecond)*90
			sample.Duration, sample.Sync = uint32(90000/p.fps), next[track]%p.gop == 0
		}
		if track == len(pictures) || !silent(pictures[track].away, at(track).Milliseconds()) {
			f.write(sample, fmt.Appendf(nil, "sample %d of track %d", next[track], track))
		}
		next[track]++
	}
	return s.Window()
}

// segments checks the numbers of a rendition, and returns its segments.
func segments(t *testing.T, w *packager.Window, id packager.RenditionID) []*packager.Segment {
	t.Helper()
	r, ok := w.Rendition(id)
	if !ok || len(r.Segments) < 5 {
		t.Fatalf("%s is not there", id)
	}
	for i, s := range r.Segments {
		if i > 0 && s.MSN != r.Segments[i-1].MSN+1 {
			t.Errorf("%s: number %d follows %d", id, s.MSN, r.Segments[i-1].MSN)
		}
		if s.Seconds() > float64(w.TargetDuration)+0.5 {
			t.Errorf("%s: segment %d lasts %v s, the target is %d", id, s.MSN, s.Seconds(), w.TargetDuration)
		}
	}
	return r.Segments
}

// TestSecondSegmentsStartAlike: the first frames of an encoder are where its milliseconds are,
// and those behind them where they should be, 60 ticks later here. The second segment of
// each picture starts at one tick in names and manifests, too.
func TestSecondSegmentsStartAlike(t *testing.T) {
	var tracks []remux.Track
	for _, id := range []string{"v1", "v2", "v3"} {
		track := video
		track.ID = id
		tracks = append(tracks, track)
	}
	s, f := publish(t, settings, tracks...)
	for n := range int64(30 * 9) {
		late := int64(60)
		if n < 9 {
			late = 0
		}
		for i := range tracks {
			f.write(remux.Sample{Track: i, DTS: start.Unix()*90000 + n*3000 + late, Duration: 3000, Sync: n%60 == 0}, fmt.Appendf(nil, "picture %d of %d", n, i))
		}
	}
	w := s.Window()
	first := w.Renditions[0].Segments
	if len(first) < 3 {
		t.Fatalf("%d segments", len(first))
	}
	for _, r := range w.Renditions[1:] {
		for i, s := range r.Segments {
			if s.Start != first[i].Start || s.PTS != first[i].PTS {
				t.Errorf("segment %d of %s starts at %d and is shown at %d; that of the first picture at %d and %d", s.MSN, r.ID, s.Start, s.PTS, first[i].Start, first[i].PTS)
			}
		}
	}
}

// TestTwoPictures: a second picture has the numbers of the first, and its segments
// begin at keyframes of its own, which lie where those of the first do.
func TestTwoPictures(t *testing.T) {
	for _, second := range []picture{
		{30, 60, 0, 0, nil}, {15, 30, 0, 0, nil}, {60, 120, 0, 0, nil}, {25, 50, 0, 0, nil}, {30, 30, 0, 0, nil},
		{30, 60, 0, time.Microsecond, nil}, {30, 60, 0, 100 * time.Millisecond, nil}, {25, 50, 0, 150 * time.Millisecond, nil},
	} {
		for _, perFrame := range []bool{false, true} {
			if perFrame && second.early > 0 {
				continue // its keyframes are in the segment before, and viewers have them
			}
			t.Run(fmt.Sprintf("%v/%v", second, perFrame), func(t *testing.T) {
				set := settings
				set.Segments, set.FrameFragments = 100, perFrame
				foreseen := false
				w := playPictures(t, set, 30*time.Second, func(w *packager.Window) {
					for i := range w.Renditions {
						if w.Renditions[i].Header == nil || w.PartTarget == 0 {
							continue
						}
						partsFit(t, w, &w.Renditions[i], w.Renditions[i].Header, w.Renditions[i].Parts)
					}
					foreseen = len(w.Renditions) < 2 || len(w.Renditions[1].Segments) < 3 || w.Renditions[1].ExpectedDuration > 0
				}, picture{30, 60, 0, 0, nil}, second)
				v1, v2, a1 := segments(t, w, "v1"), segments(t, w, "v2"), segments(t, w, "a1")
				for i, s := range v1 {
					if v2[i].MSN != s.MSN || !s.Independent || !v2[i].Independent || !v2[i].Time().Equal(s.Time()) {
						t.Errorf("segment %d begins at %v (%v), segment %d of the second at %v (%v)",
							s.MSN, s.Time(), s.Independent, v2[i].MSN, v2[i].Time(), v2[i].Independent)
					}
					if math.Abs(s.Seconds()-2) > 0.01 || math.Abs(v2[i].Seconds()-2) > 0.01 {
						t.Errorf("segment %d lasts %v s and %v s", s.MSN, s.Seconds(), v2[i].Seconds())
					}
					for k, p := range v2[i].Parts { // the grid is for its frames, too
						if d := v2[i].Header.Seconds(p.Duration); k < len(v2[i].Parts)-1 && d < 0.85*w.PartTarget.Seconds() {
							t.Errorf("segment %d: a part lasts %v s, the target is %v", s.MSN, d, w.PartTarget)
						}
					}
					if i < len(a1) && (a1[i].MSN != s.MSN || a1[i].Time().Sub(s.Time()).Abs() > 25*time.Millisecond) {
						t.Errorf("segment %d begins at %v, segment %d of the sound at %v", s.MSN, s.Time(), a1[i].MSN, a1[i].Time())
					}
				}
				if second.fps == 15 && w.PartTarget < 8*time.Second/15 {
					t.Errorf("parts last %v at most: 7 or 8 of its frames are half a second", w.PartTarget)
				}
				if !foreseen {
					t.Error("nobody knows how long the second picture's segments get")
				}
			})
		}
	}
}

// TestSecondPictureOffBeat: keyframes of the second picture lie elsewhere. Its segments
// begin at them, less than a segment late, and the numbers don't part.
func TestSecondPictureOffBeat(t *testing.T) {
	for _, tt := range []struct {
		second picture
		own    bool // each of its segments can begin with a keyframe of its own
	}{
		{picture{30, 60, 21, 0, nil}, true},  // 0.7 s later
		{picture{30, 60, 50, 0, nil}, true},  // nearly a segment later
		{picture{30, 45, 0, 0, nil}, false},  // every 1.5 s
		{picture{30, 90, 0, 0, nil}, false},  // every 3 s: longer than a segment may last
		{picture{30, 240, 0, 0, nil}, false}, // every 8 s
		{picture{24, 1 << 20, 0, 0, nil}, false},
	} {
		t.Run(fmt.Sprint(tt.second), func(t *testing.T) {
			set := settings
			set.Segments = 100
			w := playPictures(t, set, 40*time.Second, func(*packager.Window) {}, picture{30, 60, 0, 0, nil}, tt.second)
			v1, v2, a1 := segments(t, w, "v1"), segments(t, w, "v2"), segments(t, w, "a1")
			gop := time.Duration(float64(tt.second.gop) / tt.second.fps * float64(time.Second))
			for i, s := range v2 {
				late := s.Time().Sub(v1[i].Time())
				if s.MSN != v1[i].MSN || late < 0 || late > time.Duration(v1[i].Seconds()*1e9)+500*time.Millisecond {
					t.Errorf("segment %d begins at %v, segment %d of the second %v later", v1[i].MSN, v1[i].Time(), s.MSN, late)
				}
				if tt.own && !s.Independent {
					t.Errorf("segment %d doesn't begin with a keyframe", s.MSN)
				}
				since := s.Time().Sub(v2[0].Time()) % gop
				if s.Independent && min(since, gop-since) > 2*time.Millisecond {
					t.Errorf("segment %d says that it begins with a keyframe, which is %v off", s.MSN, since)
				}
			}
			if r, _ := w.Rendition("v2"); tt.own && r.ExpectedDuration > 0 {
				t.Errorf("its segments are foreseen to end where the first picture's do")
			}
			if n := len(v1) - len(v2); n < 0 || n > 1 {
				t.Errorf("%d segments of the first, %d of the second", len(v1), len(v2))
			}
			for i := range a1 {
				if a1[i].MSN != v1[i].MSN || a1[i].Time().Sub(v1[i].Time()).Abs() > 25*time.Millisecond {
					t.Errorf("segment %d begins at %v, segment %d of the sound at %v", v1[i].MSN, v1[i].Time(), a1[i].MSN, a1[i].Time())
				}
			}
		})
	}
}

// TestPicturesStayAway: whichever picture stays away, numbers don't part, and what
// comes back is where the others are.
func TestPicturesStayAway(t *testing.T) {
	never := int64(1 << 40)
	for name, list := range map[string][2][]away{
		"the first":             {{{8000, 14000}}, nil},
		"the first for good":    {{{9100, never}}, nil},
		"the first, in mid-GOP": {{{8700, 13300}}, nil},
		"the second":            {nil, {{8000, 14000}}},
		"the second for good":   {nil, {{9100, never}}},
		"the second from first": {nil, {{0, 9000}}},
		"the second in mid-GOP": {nil, {{8700, 13300}}},
		"in turn":               {{{6000, 12000}}, {{13000, 19000}}},
		"both":                  {{{8000, 14000}}, {{8000, 14000}}},
		"overlapping":           {{{6000, 12000}}, {{11000, 17000}}},
	} {
		for _, second := range []picture{{30, 60, 0, 0, nil}, {25, 50, 0, 0, nil}, {30, 60, 21, 0, nil}, {30, 60, 0, 50 * time.Millisecond, nil}} {
			t.Run(fmt.Sprintf("%s/%v", name, second), func(t *testing.T) {
				set := settings
				set.Segments = 100
				second.away = list[1]
				w := playPictures(t, set, 32*time.Second, func(w *packager.Window) {
					for i := range w.Renditions {
						if r := &w.Renditions[i]; r.Header != nil && w.PartTarget > 0 {
							partsFit(t, w, r, r.Header, r.Parts)
						}
					}
				}, picture{30, 60, 0, 0, list[0]}, second)
				v1, v2, a1 := segments(t, w, "v1"), segments(t, w, "v2"), segments(t, w, "a1")
				for len(v1) > 0 && len(v2) > 0 && v1[0].MSN < v2[0].MSN { // it came later
					v1, a1 = v1[1:], a1[1:]
				}
				for i := range min(len(v1), len(v2), len(a1)) {
					off2, offA := v2[i].Time().Sub(v1[i].Time()), a1[i].Time().Sub(v1[i].Time())
					if v1[i].MSN != v2[i].MSN || v1[i].MSN != a1[i].MSN || off2.Abs() > 2500*time.Millisecond || offA.Abs() > 1500*time.Millisecond {
						t.Errorf("segments %d, %d and %d: the second picture begins %v behind the first, the sound %v", v1[i].MSN, v2[i].MSN, a1[i].MSN, off2, offA)
					}
				}
				if d := len(v1) - len(v2); d < -2 || d > 2 {
					t.Errorf("%d segments of the first, %d of the second", len(v1), len(v2))
				}
			})
		}
	}
}

// TestTracksKeepTheirIDs: a rendition is the track that the encoder calls so, whatever
// else it sends, and where the first picture stays away for good the second leads.
func TestTracksKeepTheirIDs(t *testing.T) {
	set := settings
	set.Segments = 100
	named := func(t remux.Track, id string) remux.Track {
		t.ID = id
		return t
	}
	first, second, sound := named(video, "v1"), named(video, "v2"), named(audible(), "a3")
	s, f := publish(t, set, first, second, sound)
	frame := int64(0)
	play := func(seconds int, pictures ...remux.Track) {
		for end := frame + int64(seconds)*30; frame < end; frame++ {
			for i := range pictures {
				f.write(remux.Sample{Track: i, DTS: start.Unix()*90000 + frame*3000, Duration: 3000, Sync: frame%60 == 0}, []byte("picture"))
			}
			for unit := (frame*1600 + 1023) / 1024; unit*1024 < (frame+1)*1600; unit++ {
				f.write(remux.Sample{Track: len(pictures), DTS: start.Unix()*48000 + unit*1024, Duration: 1024, Sync: true}, []byte("sound"))
			}
		}
	}
	play(10, first, second)
	if err := f.p.SetTracks([]remux.Track{second, sound}); err != nil {
		t.Fatal(err)
	}
	play(10, second)
	if err := f.p.SetTracks([]remux.Track{first, second, sound}); err != nil {
		t.Fatal(err)
	}
	play(10, first, second)
	w := s.Window()
	v1, v2, a3 := segments(t, w, "v1"), segments(t, w, "v2"), segments(t, w, "a3")
	if len(w.Renditions) != 3 {
		t.Errorf("%d renditions", len(w.Renditions))
	}
	for i, s := range v2 {
		if v1[i].MSN != s.MSN || a3[i].MSN != s.MSN || s.Gaps || !s.Independent || v1[i].Time().Sub(s.Time()).Abs() > 20*time.Millisecond {
			t.Errorf("segments %d, %d and %d begin at %v, %v and %v", v1[i].MSN, s.MSN, a3[i].MSN, v1[i].Time(), s.Time(), a3[i].Time())
		}
	}
}
