package dash_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/packagertest"
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
			had := make(map[string]string) // what Periods had, by their id
			var last string
			look := func(w *packager.Window) {
				if !w.Playable() {
					return
				}
				text, err := dash.MPD(w)
				if err != nil {
					t.Fatal(err)
				}
				m, err := mpd.MPDFromBytes(text)
				if err != nil {
					t.Fatal(err)
				}
				last = string(text)
				for i, p := range m.Periods {
					what := fmt.Sprint(*p.Start)
					for _, a := range p.AdaptationSets {
						for _, r := range a.Representations {
							what += " " + r.Id
							line := r.SegmentTemplate
							if line == nil {
								line = a.SegmentTemplate
							}
							if tt.periods == 1 {
								continue
							}
							for _, s := range line.SegmentTimeline.S[1:] {
								if s.T != nil {
									t.Errorf("%s of %s has a hole:\n%s", r.Id, p.Id, text)
								}
							}
						}
						if i > 0 && (len(a.SupplementalProperties) == 0 || a.SupplementalProperties[0].Value != m.Periods[i-1].Id) {
							t.Errorf("%s isn't connected:\n%s", p.Id, text)
						}
					}
					if had[p.Id] == "" {
						had[p.Id] = what
					}
					if had[p.Id] != what {
						t.Fatalf("%s had %s, has %s:\n%s", p.Id, had[p.Id], what, text)
					}
				}
			}
			f.Look(look)
			f.Qualities(300 + tt.at)
			f.Lost = tt.lost
			f.Qualities(tt.while)
			f.Lost = nil
			f.Qualities(200)
			if len(had) != tt.periods {
				t.Errorf("%d Periods, want %d: %v", len(had), tt.periods, had)
			}
			if want := []string{`"v1"`, `"v2"`, `"v3"`}; slices.ContainsFunc(want, func(id string) bool {
				return !strings.Contains(last[strings.LastIndex(last, "<Period"):], "<Representation id="+id)
			}) {
				t.Errorf("not all are back:\n%s", last)
			}
		})
	}
}
