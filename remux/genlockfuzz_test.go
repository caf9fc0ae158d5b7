package remux

import (
	"encoding/binary"
	"testing"
	"time"
)

// FuzzGenlock lets two encoders come, go and send hostile timestamps beside one that
// keeps its time: the laws of recorder hold for all, that one's line neither breaks nor
// steps, and nobody is left.
func FuzzGenlock(f *testing.F) {
	const step, come, key = 0, 1, 2
	op := func(who, what byte, ms int32, passed byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{who<<4 | what}, uint32(ms)), passed)
	}
	seed := func(ops ...[]byte) {
		var b []byte
		for _, o := range ops {
			b = append(b, o...)
		}
		f.Add(b)
	}
	var beside, leaps [][]byte
	for i := range int32(40) {
		beside = append(beside, op(0, key*byte(1-min(i%10, 1)), 33, 16), op(1, key*byte(1-min(i%10, 1)), 33, 17))
		leaps = append(leaps, op(0, key, i*i*i*5000, 20), op(1, step, -i*977, 20), op(byte(i%2), come, 1<<31-1-i, 0))
	}
	seed(beside...)
	seed(leaps...)
	f.Fuzz(func(t *testing.T, b []byte) {
		g := NewGenlock()
		var now time.Time
		newOne := func() *feed {
			one := newFeed(t)
			one.r.hooks.Genlock = g
			one.r.now = func() time.Time { return now }
			one.configs()
			return one
		}
		now = time.UnixMilli(base)
		honest := newOne()
		others := [2]*feed{newOne(), newOne()}
		var stamps [2]uint32
		var at int64 // ms
		sent := int64(0)
		for ops := 0; ops < 300 && len(b) >= 6 && at < 20_000; ops++ {
			who, what := b[0]>>4&1, b[0]&3
			o := others[who]
			at += int64(b[5])
			now = time.UnixMilli(base + at)
			for ; sent*1000/30 <= at; sent++ {
				if ts := uint32(sent * 1000 / 30); sent%30 == 0 {
					honest.key(ts)
				} else {
					honest.inter(ts)
				}
			}
			stamps[who] += binary.BigEndian.Uint32(b[1:])
			switch b = b[6:]; {
			case what == come:
				o.r.Close(nil)
				others[who] = newOne()
			case o.err != nil:
			case what == key:
				o.key(stamps[who])
			case what == step:
				o.inter(stamps[who])
			default:
				o.sound(stamps[who])
			}
		}
		for _, o := range append(others[:], honest) {
			o.r.Close(nil)
		}
		if len(g.members) > 0 || g.master != nil {
			t.Errorf("%d encoders are left", len(g.members))
		}
		if n := len(honest.out.periods); n > 1 {
			t.Errorf("%d periods", n)
		}
		for i, s := range honest.out.samples {
			if i == 0 {
				continue
			}
			if step := s.DTS - honest.out.samples[i-1].DTS; step < 3000-10*millisecond || step > 3000+10*millisecond {
				t.Errorf("frame %d is %d ticks behind the one before", i, step)
			}
		}
	})
}
