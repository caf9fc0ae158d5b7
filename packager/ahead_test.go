package packager_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// TestFollowerAhead: a picture whose samples come before the leader's begins its segments at
// the leader's keyframes all the same, from the second that it might on: nobody can know
// how far keyframes are apart before.
func TestFollowerAhead(t *testing.T) {
	lead := pusher{label: "_720p", order: 2, fps: 30, gop: 60}
	ahead := pusher{label: "_1080p", order: 1, fps: 30, gop: 60}
	with := func(p pusher, change func(*pusher)) pusher {
		change(&p)
		return p
	}
	const cut = "scene cuts" // they count once a few were alike
	type row struct {
		name    string
		pushers []pusher
	}
	var rows []row
	for _, lag := range []int64{140, 400, 950} {
		late := with(lead, func(p *pusher) { p.lag = lag })
		rows = append(rows,
			row{fmt.Sprint("joins late, ahead by ", lag), []pusher{with(ahead, func(p *pusher) { p.from = 100 }), late}},
			row{fmt.Sprint("is back, ahead by ", lag), []pusher{with(ahead, func(p *pusher) { p.gone = []away{{9100, 13000}} }), late}},
			row{fmt.Sprint("both stall, ahead by ", lag), []pusher{
				with(ahead, func(p *pusher) { p.silent, p.from = []away{{9100, 14000}}, 100 }),
				with(late, func(p *pusher) { p.silent = []away{{9100, 12500}} }),
			}},
			row{fmt.Sprint(cut, ", ahead by ", lag), []pusher{
				with(ahead, func(p *pusher) { p.from, p.gop, p.cuts = 100, 120, []int{77, 205, 333, 450, 555, 700, 810} }),
				with(late, func(p *pusher) { p.gop, p.cuts = 120, []int{77, 205, 333, 450, 555, 700, 810} }),
			}},
		)
	}
	for _, frames := range []bool{false, true} {
		for _, tt := range rows {
			t.Run(fmt.Sprint(tt.name, ", in chunks of frames: ", frames), func(t *testing.T) {
				set := settings
				set.Segments, set.Genlock, set.Grace, set.FrameFragments = 100, true, 30*time.Second, frames
				allowed := 1
				if strings.HasPrefix(tt.name, cut) {
					set.TargetDuration, allowed = 6*time.Second, 2
				}
				w := program(t, set, 36000, func(ms int64, s *packager.Stream) {
					if ms%50 == 0 && !t.Failed() {
						agree(t, s.Window(), false)
					}
				}, tt.pushers...)
				begins := make(map[packager.MSN]time.Time)
				for i := range w.Renditions {
					r := &w.Renditions[i]
					dependent := 0
					for _, s := range r.Segments {
						if s.Header.Track.Kind() != remux.Video || s.Lead > 0 {
							continue
						}
						if !s.Independent {
							dependent++
							continue
						}
						if at, ok := begins[s.MSN]; ok && !at.Equal(s.Time()) {
							t.Errorf("segment %d of %s begins %v from that of the other", s.MSN, r.ID, s.Time().Sub(at))
						}
						begins[s.MSN] = s.Time()
					}
					if dependent > allowed {
						t.Errorf("%d segments of %s begin without a keyframe", dependent, r.ID)
					}
				}
			})
		}
	}
}

// So it does from the second segment of a period on that begins meanwhile: the leader's segments last as long as before.
func TestFollowerAheadInAPeriod(t *testing.T) {
	for _, lag := range []int64{300, 700, 980} {
		for change := int64(13200); change < 17000; change += 300 { // of a decoder configuration
			t.Run(fmt.Sprintf("ahead by %d ms, at %d ms", lag, change), func(t *testing.T) {
				set := settings
				set.Segments, set.Genlock, set.Grace, set.PartDuration = 100, true, 30*time.Second, time.Second
				both := []pusher{
					{label: "_1080p", order: 2, fps: 30, gop: 30},
					{label: "_720p", order: 1, fps: 30, gop: 30, lag: lag},
				}
				both[0].changes = change
				both[0].gone, both[1].from = []away{{5000, 12900}}, 8000 // it has led, and compared nothing
				w := program(t, set, 30000, func(int64, *packager.Stream) {}, both...)
				begins := make(map[packager.MSN]time.Time)
				same := 0
				for i := range w.Renditions {
					r := &w.Renditions[i]
					for _, s := range r.Segments {
						if s.Header.Track.Kind() != remux.Video || s.Header.Period != r.Header.Period {
							continue
						}
						at, ok := begins[s.MSN]
						if ok && !at.Equal(s.Time()) {
							t.Errorf("segment %d of %s begins %v from that of the other", s.MSN, r.ID, s.Time().Sub(at))
						}
						if ok {
							same++
						}
						begins[s.MSN] = s.Time()
					}
				}
				if same < 5 {
					t.Errorf("%d segments of both in the period", same)
				}
			})
		}
	}
}

// The leader, which lags, is the first to say what it sends, and the other one is ahead by more than a part. Nobody
// knows yet how long segments last, but how far the leader's keyframes are apart: the second segment begins with the same in
// both.
func TestAheadOfWhoBegan(t *testing.T) {
	set := settings
	set.Segments, set.Genlock = 100, true
	for _, lag := range []int64{400, 700, 960} {
		t.Run(fmt.Sprint(lag), func(t *testing.T) {
			w := program(t, set, 14000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 25, gop: 25, mute: true, lag: lag, tells: true},
				pusher{label: "_b", order: 2, fps: 25, gop: 25, mute: true})
			agree(t, w, true)
			first := w.Renditions[1].Segments[0]
			if first.MSN != w.Renditions[0].Segments[0].MSN {
				t.Errorf("the other one begins with segment %d", first.MSN)
			}
		})
	}
}
