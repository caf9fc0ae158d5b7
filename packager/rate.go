package packager

// rate measures bit rates over the closed segments of a publication that have media.
type rate struct {
	all   amount
	last  amount // the newest stretch that was long enough to have a rate
	short amount // the segments behind it, which are too short for that
	peak  int    // bit/s
}

// amount is so many bytes for so much time.
type amount struct {
	bytes   int
	seconds float64
}

// add takes a segment, and the target duration, s.
func (r *rate) add(bytes int, seconds float64, target int) {
	if seconds <= 0 {
		return
	}
	r.all.add(bytes, seconds)
	r.short.add(bytes, seconds)
	// The peak is the highest rate of any stretch of segments from half the target duration
	// on (RFC 8216bis, section 4.1). What is shorter is a keyframe and little else, as where an
	// encoder is lost: it counts together with what is before it and with what follows.
	if r.short.seconds >= float64(target)/2 {
		r.peak = max(r.peak, r.short.rate())
		r.last, r.short = r.short, amount{}
	} else if r.last.seconds > 0 {
		r.peak = max(r.peak, amount{r.last.bytes + r.short.bytes, r.last.seconds + r.short.seconds}.rate())
	}
}

// highest is the peak, bit/s, or what is known of it.
func (r *rate) highest() int {
	if r.peak == 0 {
		return r.short.rate()
	}
	return r.peak
}

func (a *amount) add(bytes int, seconds float64) {
	a.bytes += bytes
	a.seconds += seconds
}

func (a amount) rate() int {
	if a.seconds == 0 {
		return 0
	}
	return int(float64(a.bytes) * 8 / a.seconds)
}

// Bandwidth is what players are told that a rendition needs, bit/s: for any of its segments,
// and on average. Players choose by it once, when they begin, and a stream that has just begun
// often begins with a still picture, which needs little. So, until much was measured, it is
// what the encoder says that it will send, if it says so, or more where more has come.
func (r *Rendition) Bandwidth() (peak, average int) {
	const much = 30.0 // s
	peak, average = r.Peak, r.Average
	rest := much - r.Measured
	if h := r.Newest(); rest > 0 && h != nil && h.Track.Bitrate > 0 {
		stated := h.Track.Bitrate
		average = int((float64(average)*r.Measured + float64(stated)*rest) / much)
		peak = max(peak, average, stated+stated/10) // for the boxes, and what a segment may be larger than others
	}
	return peak, average
}
