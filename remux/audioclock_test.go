package remux

import (
	"fmt"
	"testing"
)

// soundUnits are lengths of access units, in samples at 48 kHz, that take turns.
var soundUnits = map[string][]int{
	"Opus 2.5 ms": {120}, "Opus 20 ms": {960}, "Opus 60 ms": {2880}, "Opus 120 ms": {5760}, "Opus that changes": {960, 2880, 120, 480, 5760},
	"MP3": {1152}, "AC-3": {1536}, "E-AC-3 of one block": {256},
	"FLAC": {4608}, "FLAC of large blocks": {65535}, "FLAC of variable blocks": {1024, 4608, 192, 16, 8192},
}

// TestAudioClockFollows: units of any length are placed one behind the other, as far as
// rounding goes, where the line is bent most.
func TestAudioClockFollows(t *testing.T) {
	for name, units := range soundUnits {
		for _, ppm := range []int64{-500, 0, 500} {
			a := audioClock{rate: 48000}
			var samples, end int64
			for n := 0; samples < 300*48000; n++ {
				u := unit{samples: units[n%len(units)]}
				at := samples * 1_000_000_000 / 48000
				ns := 1_700_000_000_000_000_000 + at/1_000_000*1_000_000 + at*ppm/1_000_000 // an encoder's milliseconds, on a line that is bent
				dts, duration, _ := a.sample(ns, 0, &u)
				if step := dts - end; n > 0 && (step > int64(1+u.samples/1024) || step < -int64(8+max(u.samples, 8192)/1024)) {
					t.Fatalf("%s, %d ppm: unit %d begins %d samples behind the end of the one before", name, ppm, n, step)
				}
				if off := dts - ticks(ns, 48000); off > 25*48 || off < -25*48 {
					t.Fatalf("%s, %d ppm: unit %d is %d samples off", name, ppm, n, off)
				}
				end = dts + int64(duration)
				samples += int64(u.samples)
			}
		}
	}
}

// TestAudioClockLoses: where units are lost, those behind them stay where they belong.
func TestAudioClockLoses(t *testing.T) {
	for name, units := range soundUnits {
		for _, lost := range []int{1, 2, 7} {
			t.Run(fmt.Sprint(name, " ", lost), func(t *testing.T) {
				a := audioClock{rate: 48000}
				var samples int64
				for n := range 2000 {
					u := unit{samples: units[n%len(units)]}
					ns := samples * 1000 / 48000 * 1_000_000
					samples += int64(u.samples)
					if n >= 500 && n < 500+lost {
						continue
					}
					dts, _, _ := a.sample(ns, 0, &u)
					if off := dts - ticks(ns, 48000); off > 48*25 || off < -48*25 {
						t.Fatalf("unit %d is %d samples off", n, off)
					}
				}
			})
		}
	}
}
