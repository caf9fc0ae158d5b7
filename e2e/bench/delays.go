//go:build linux

package main

import "time"

// delays counts how long things took, by tenths of a millisecond.
type delays struct {
	buckets [20_000]int
	n       int
}

const bucket = 100 * time.Microsecond

func (d *delays) add(t time.Duration) {
	d.buckets[min(max(0, int(t/bucket)), len(d.buckets)-1)]++
	d.n++
}

// quantile is in milliseconds: q of all took at most that long.
func (d *delays) quantile(q float64) float64 {
	left := q * float64(d.n)
	for i, n := range d.buckets {
		if left -= float64(n); left <= 0 && d.n > 0 {
			return float64(time.Duration(i+1)*bucket) / float64(time.Millisecond)
		}
	}
	return 0
}
