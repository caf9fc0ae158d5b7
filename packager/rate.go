package packager

// rate measures bit rates over the closed segments of a publication.
type rate struct {
	peak, bytes int
	seconds     float64
}

func (r *rate) add(bytes int, seconds float64) {
	if seconds <= 0 {
		return
	}
	r.bytes += bytes
	r.seconds += seconds
	r.peak = max(r.peak, int(float64(bytes)*8/seconds))
}

func (r *rate) average() int {
	if r.seconds == 0 {
		return 0
	}
	return int(float64(r.bytes) * 8 / r.seconds)
}
