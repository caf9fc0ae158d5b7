package packager

import (
	"testing"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// TestGapsAreNoLongerThanParts: where a gap begins a little before a line of the grid, it
// reaches to the line behind that, but never further than a part may.
func TestGapsAreNoLongerThanParts(t *testing.T) {
	b := newBeat(Settings{SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second, PartDuration: 200 * time.Millisecond})
	b.begin(time.Now())
	b.period.Start = 0
	b.grid = grid{step: 203 * time.Millisecond, target: 211 * time.Millisecond}
	w := &writer{common: &common{beat: b}, header: &Header{Period: b.period}}
	w.part.timescale = remux.VideoTimescale
	for ms := range int64(2000) {
		w.open = &Segment{Duration: ms * 90}
		for end := w.place(); end < int64(3*time.Second); {
			next, closes := w.gapEnd()
			if d := time.Duration(next - end); d > b.grid.target || d <= 0 && !closes {
				t.Fatalf("a gap behind %v lasts %v, the target is %v", time.Duration(end), d, b.grid.target)
			}
			if end = next; closes {
				break
			}
			w.open.Duration = w.ticks(end)
		}
	}
}
