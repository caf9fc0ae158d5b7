package packager

import (
	"testing"
	"time"
)

// steady is a follower that has come to a place.
type steady struct{ at int64 }

func (s steady) place() int64                { return s.at }
func (s steady) frames() (frames, bool)      { return frames{}, false }
func (s steady) openDuration() time.Duration { return 0 }

// TestBeatNumbers: each number has one end, and who comes late has the number of
// those that are there.
func TestBeatNumbers(t *testing.T) {
	b := newBeat(Settings{SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second, PartDuration: time.Second})
	b.begin(time.Now())
	b.period.Start = 0
	b.first = 7
	const s = int64(time.Second)
	if _, known := b.end(7); known || b.numberAt(5*s) != 7 {
		t.Error("an end is known before anybody came there")
	}
	b.lead(2 * s)
	b.lead(4500 * s / 1000)
	b.lead(4490 * s / 1000) // a picture was shown behind where its segment ended
	b.lead(6 * s)
	for n, want := range map[MSN]int64{6: 2 * s, 7: 2 * s, 8: 4500 * s / 1000, 9: 4490 * s / 1000, 10: 6 * s} {
		if at, known := b.end(n); !known || at != want {
			t.Errorf("segment %d ends at %d, %v: want %d", n, at, known, want)
		}
	}
	if _, known := b.end(11); known {
		t.Error("segment 11 has ended")
	}
	for at, want := range map[int64]MSN{0: 7, 2*s - 1: 7, 2 * s: 8, 5 * s: 10, 6 * s: 11, 60 * s: 11} {
		if n := b.numberAt(at); n != want {
			t.Errorf("%v is in segment %d, want %d", time.Duration(at), n, want)
		}
	}
	for i := range int64(1000) {
		b.lead((8 + 2*i) * s)
	}
	if at, known := b.end(1010); !known || at != 2006*s || len(b.ends) > 64 {
		t.Errorf("of %d ends that are kept, segment 1010's is %v (%v)", len(b.ends), time.Duration(at), known)
	}
}

// TestBeatWithoutTheLeader: segments get as long as before, or as the furthest has
// gone already.
func TestBeatWithoutTheLeader(t *testing.T) {
	const s = int64(time.Second)
	c := common{beat: newBeat(Settings{SegmentMinDuration: 2 * time.Second, TargetDuration: 4 * time.Second})}
	b := &c.beat
	b.begin(time.Now())
	b.period.Start = 10 * s
	if got := b.next(); got != 12*s {
		t.Errorf("the first segment ends at %v", time.Duration(got))
	}
	b.regularity = told(3 * time.Second)
	b.lead(12 * s)
	b.followers = []follower{steady{11 * s}}
	if got := b.next(); got != 15*s {
		t.Errorf("the second segment ends at %v", time.Duration(got))
	}
	b.followers = append(b.followers, steady{16 * s})
	if got := b.next(); got != 16*s {
		t.Errorf("behind one that is further, it ends at %v", time.Duration(got))
	}
	b.followers[0] = steady{60 * s}
	if got, want := b.next(), 12*s+int64(longestOf(4)); got != want {
		t.Errorf("it ends at %v, %v is the most", time.Duration(got), time.Duration(want))
	}
	b.followers, b.head = nil, 22*s
	c.leadAway()
	if at, _ := b.end(3); len(b.ends) != 4 || at != 21*s {
		t.Errorf("the head is at 22 s, and %d segments have ended, the last at %v", len(b.ends), time.Duration(at))
	}
}
