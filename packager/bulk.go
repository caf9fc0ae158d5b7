package packager

import "time"

// Media time ends parts and segments. Where timestamps stand still, or crawl, while
// data comes at its full rate, bytes do, and the time that passes.

const (
	// mostPart and mostSegment are more bytes than any that are sent have.
	mostPart    = 16 << 20
	mostSegment = 128 << 20

	// partShare and segmentShare are what fractions of a stream's bytes they may be.
	partShare    = 16
	segmentShare = 8

	// A part that took crawl to come is looked at each crawlSamples, which no part has
	// otherwise: samples that a network held back come in a burst.
	crawl        = 5 * time.Second
	crawlSamples = 64
)

// bulky tells whether the open part ends for its bytes, or for the time that it took.
func (w *writer) bulky() bool {
	if w.part.draft.payload() >= share(w.set.MaxBytes, partShare, mostPart) {
		return true
	}
	n := len(w.part.samples)
	return n > 0 && n%crawlSamples == 0 && w.now().Sub(w.part.began) >= crawl
}

// bulkySegment tells the same of the open segment. One that crawls may end at any
// keyframe.
func (w *writer) bulkySegment(sync bool) bool {
	if w.open.Size+w.part.draft.payload() >= share(w.set.MaxBytes, segmentShare, mostSegment) {
		return true
	}
	if !w.leads || w.open.Samples < crawlSamples { // the others keep to the beat
		return false
	}
	took := w.now().Sub(w.openBegan)
	media := w.duration(w.open.Duration)
	return took >= crawl+2*media && (sync || took >= 2*crawl+2*w.beat.segmentMax)
}

func share(all, of, most int) int {
	if all <= 0 {
		return most
	}
	return min(most, all/of)
}
