package remux

import (
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// F32: the encoder's clock stands still, or crawls, and goes on later. The frames go
// on at their pace, and picture and sound stay together.
func TestF32Standstill(t *testing.T) {
	for name, c := range map[string]struct{ speed, stall float64 }{
		"stands still": {}, "crawls": {speed: 0.01}, "behind a stall": {stall: 4500}, "crawls behind a stall": {0.01, 4500},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFeed(t)
			f.videoConfig(record(highSPS, highPPS))
			f.audioConfig("1190")
			// What the encoder's clock says when so much time has passed.
			clock := func(ms float64) uint32 {
				return uint32(min(ms, 5000) + min(max(ms-5000, 0), 20000)*c.speed + max(ms-25000, 0))
			}
			audio := 0
			for n := range 30 * 40 {
				ms := float64(n) * 1000 / 30
				arrives := ms
				if ms > 4000 && ms < 4000+2*c.stall { // what was held back comes at twice the speed
					arrives = max(ms, 4000+c.stall+(ms-4000)/2)
				}
				f.now = time.UnixMilli(base).Add(time.Duration(arrives * 1e6))
				if n%60 == 0 {
					f.key(clock(ms))
				} else {
					f.inter(clock(ms))
				}
				for ; float64(audio)*1024/48 <= ms; audio++ {
					f.sound(clock(float64(audio) * 1024 / 48))
				}
			}
			f.r.Close(nil)
			end := [2]float64{}
			for _, s := range f.out.samples {
				track := f.out.periods[len(f.out.periods)-1][s.Track]
				end[track.Kind()] = float64(s.DTS)/float64(track.Timescale) - base/1000
			}
			for k, at := range end {
				if at < 39 || at > 40.5 {
					t.Errorf("%v ends at %.2f s of 40", Kind(k), at)
				}
			}
			if off := end[Video] - end[Audio]; off > 0.1 || off < -0.1 {
				t.Errorf("picture and sound end %.3f s apart", off)
			}
		})
	}
}

// Several frames have each timestamp, or a track's clock runs backwards or stands still and
// goes on from there: picture and sound stay where they arrive, and so together.
func TestF32OddClocks(t *testing.T) {
	even := func(ms float64, _ int) float64 { return ms }
	shared := func(k int, fps float64) func(float64, int) float64 {
		return func(_ float64, n int) float64 { return float64(n/k*k) * 1000 / fps }
	}
	steps := func(length float64) func(float64, int) float64 {
		return func(ms float64, _ int) float64 { return float64(int(ms/length)) * length }
	}
	back := func(ms float64, _ int) float64 { return 1e6 - ms }
	backFor := func(ms float64, _ int) float64 { // 4 s of it, and on from there
		return min(ms, 10000) - min(max(ms-10000, 0), 4000) + max(ms-14000, 0)
	}
	hangs := func(ms float64, _ int) float64 { return min(ms, 10000) + max(ms-14000, 0) }
	for _, c := range []struct {
		name           string
		fps            float64
		picture, sound func(ms float64, n int) float64
	}{
		{"two frames share a timestamp", 30, shared(2, 30), even},
		{"the first has one of its own", 30, func(ms float64, n int) float64 { return shared(2, 30)(ms, n+1) }, even},
		{"three share one", 60, shared(3, 60), even},
		{"in every third one is repeated", 30, func(_ float64, n int) float64 { return float64(n-n%3/2) * 1000 / 30 }, even},
		{"a clock of 100 ms", 30, steps(100), even},
		{"a clock of 40 ms", 60, steps(40), even},
		{"both in 50 ms", 30, steps(50), steps(50)},
		{"both run backwards", 30, back, back},
		{"the picture runs backwards", 30, back, even},
		{"the sound runs backwards", 30, even, back},
		{"the picture, for a while", 30, backFor, even},
		{"both, for a while", 30, backFor, backFor},
		{"the picture stands still", 30, hangs, even},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFeed(t)
			f.videoConfig(record(mainSPS, mainPPS))
			f.audioConfig("1190")
			var due [2][]float64
			for n := range int(c.fps * 40) {
				ms := float64(n) * 1000 / c.fps
				for m := len(due[Audio]); float64(m)*1024/48 < ms; m++ {
					at := float64(m) * 1024 / 48
					f.now = time.UnixMilli(base).Add(time.Duration(at * 1e6))
					f.sound(uint32(c.sound(at, m)))
					due[Audio] = append(due[Audio], at)
				}
				f.now = time.UnixMilli(base).Add(time.Duration(ms * 1e6))
				if at := uint32(c.picture(ms, n)); n%60 == 0 {
					f.key(at)
				} else {
					f.inter(at)
				}
				due[Video] = append(due[Video], ms)
			}
			f.r.Close(nil)
			var n [2]int
			for _, s := range f.out.samples {
				track := f.out.periods[len(f.out.periods)-1][s.Track]
				k, rate := track.Kind(), int64(track.Timescale)
				at := float64(s.DTS/rate*1000-base) + float64(s.DTS%rate)*1000/float64(rate)
				off := at - due[k][n[k]]
				if slack := 350.0; off > slack || off < -slack {
					t.Fatalf("%v %d is decoded %.0f ms from when it came", k, n[k], off)
				}
				if ms := due[k][n[k]]; ms > 20000 && (off > 60 || off < -60) {
					t.Fatalf("%v %d is still decoded %.0f ms from when it came", k, n[k], off)
				}
				n[k]++
			}
			for k := range n {
				if n[k] != len(due[k]) {
					t.Errorf("%d units of %v of %d", n[k], Kind(k), len(due[k]))
				}
			}
		})
	}
}

// Sound of another rate stands still right behind its configuration: its units last as
// long as they do, and not as those before.
func TestF32NewSoundStandsStill(t *testing.T) {
	f := newFeed(t)
	f.audioConfig("1208") // 44100 Hz
	sound := func(from, until float64, hz int, clock func(ms float64) uint32) {
		for ms := from; ms < until; ms += 1024 * 1000 / float64(hz) {
			f.now = time.UnixMilli(base).Add(time.Duration(ms * 1e6))
			f.sound(clock(ms))
		}
	}
	sound(0, 5000, 44100, func(ms float64) uint32 { return uint32(ms) })
	f.audioConfig("1408") // 16000 Hz
	sound(5000, 5200, 16000, func(ms float64) uint32 { return uint32(ms) })
	sound(5200, 15000, 16000, func(float64) uint32 { return 5200 })
	f.r.Close(nil)
	s := f.out.samples[len(f.out.samples)-1]
	if end := float64(s.DTS)/16000 - base/1000; end < 14.5 || end > 15.2 {
		t.Errorf("the sound ends at %.2f s of 15", end)
	}
}

// Where the clock leaps between the time at which a frame is decoded and the one at
// which it is shown, the frame is shown when others of its kind are.
func TestF32LeapInAFrame(t *testing.T) {
	var r reorder
	for i := range 100 {
		r.offset(int64(i%3) * 3000)
	}
	if got := r.offset(3 * VideoTimescale); got > 6000 {
		t.Errorf("a frame among others that are shown up to 6000 ticks later is shown %d later", got)
	}
	for range 3 {
		r.offset(3 * VideoTimescale)
	}
	if got := r.offset(3 * VideoTimescale); got != 3*VideoTimescale {
		t.Errorf("the fifth such frame is shown %d ticks later", got)
	}
}

// Frames that are all shown seconds later than they are decoded are shown then,
// from the first one on; one alone is not.
func TestF32ConstantOffset(t *testing.T) {
	for _, c := range []struct{ usual, odd, from, want int }{
		{6000, 6000, 0, 6000}, {9000, 9000, 0, 9000}, {-4000, -4000, 0, -4000},
		{0, 6000, 100, 0}, {0, -6000, 100, 0}, {80, 7000, 5, 80}, {6000, 0, 50, 6000}, {0, 1 << 22, 0, 0},
	} {
		f := newFeed(t)
		f.videoConfig(record(mainSPS, mainPPS))
		for n := range 200 {
			offset := c.usual
			if n == c.from {
				offset = c.odd
			}
			head := []byte{0x27, 1, byte(offset >> 16), byte(offset >> 8), byte(offset)}
			nal := slice
			if n%50 == 0 {
				head[0], nal = 0x17, idr
			}
			f.tag(flv.TagVideo, uint32(n*40), head, lengths(nal))
		}
		f.r.Close(nil)
		for n, s := range f.out.samples {
			want := c.usual
			if n == c.from {
				want = c.want
			}
			if got := int(s.CompositionOffset) / 90; got < want-40 || got > want+40 {
				t.Errorf("%+v: frame %d is shown %d ms later", c, n, got)
				break
			}
		}
	}
}

// A Remuxer tells what waits in it.
func TestHeld(t *testing.T) {
	f := newFeed(t)
	f.videoConfig(record(highSPS, highPPS))
	f.tag(flv.TagVideo, 0, []byte{0x17, 1, 0, 0, 0}, lengths(idr, make([]byte, 1<<20)))
	if n := f.r.Held(); n < 1<<20 {
		t.Errorf("%d bytes wait", n)
	}
	f.inter(1000)
	f.inter(2000)
	if n := f.r.Held(); n != 0 {
		t.Errorf("%d bytes wait, and all frames are written", n)
	}
	f.r.Close(nil)
}

// What the tracks strayed by is given back little by little: who has given back more by the
// end of a standstill stood still, too.
func TestReuniteAll(t *testing.T) {
	const ms = int64(time.Millisecond)
	for _, c := range []struct{ strayed, want [2]int64 }{
		{[2]int64{115 * ms, 57 * ms}, [2]int64{0, 58 * ms}},
		{[2]int64{4000 * ms, 3800 * ms}, [2]int64{0, 200 * ms}},
		{[2]int64{4000 * ms, 0}, [2]int64{0, 0}}, // its clock went on
	} {
		line := timeline{still: true}
		for _, s := range c.strayed {
			line.lanes = append(line.lanes, &lane{strayed: s})
		}
		line.reunite()
		if got := [2]int64{line.lanes[0].offset, line.lanes[1].offset}; got != c.want || line.still {
			t.Errorf("strayed by %v: moved by %v, and not by %v", c.strayed, got, c.want)
		}
	}
}
