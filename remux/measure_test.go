package remux

import (
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// filming is a Remuxer that gets a picture and sound, and what a frame of each costs to
// measure.
func filming() (each func()) {
	r := New(nil, time.Now, Hooks{})
	r.began = time.Unix(0, 0)
	picture := &source{trackKey: trackKey{kind: Video}, name: "v1"}
	sound := &source{trackKey: trackKey{kind: Audio}, name: "a1"}
	r.sources = []*source{picture, sound}
	n := 0
	return func() {
		at := time.Duration(n) * 33 * time.Millisecond
		v := frame{Packet: flv.Packet{Kind: Video, Timestamp: uint32(at.Milliseconds()), Keyframe: n%60 == 0}, source: picture}
		a := frame{Packet: flv.Packet{Kind: Audio, Timestamp: uint32(at.Milliseconds())}, source: sound}
		r.monitor.frame(r, &v, at)
		r.monitor.frame(r, &a, at+time.Millisecond)
		n++
	}
}

// Measuring allocates nothing, in stretches that end and in keyframes, too.
func TestMeasuringAllocatesNothing(t *testing.T) {
	each := filming()
	for range 1000 { // the first stretches make room
		each()
	}
	if n := testing.AllocsPerRun(10_000, each); n > 0 {
		t.Errorf("%v allocations for each frame", n)
	}
}

// BenchmarkMeasure is of two frames; 220 µs is what all of a second of a stream costs.
func BenchmarkMeasure(b *testing.B) {
	each := filming()
	b.ReportAllocs()
	for b.Loop() {
		each()
	}
}
