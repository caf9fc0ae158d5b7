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
func (p *Publication) bulky(w *writer) bool {
	if w.draft.payload() >= share(p.set.MaxBytes, partShare, mostPart) {
		return true
	}
	n := len(w.samples)
	return n > 0 && n%crawlSamples == 0 && p.now().Sub(w.partBegan) >= crawl
}

// bulkySegment tells the same of the open segment. One that crawls may end at any
// keyframe.
func (p *Publication) bulkySegment(w *writer, sync bool) bool {
	if w.open.Size+w.draft.payload() >= share(p.set.MaxBytes, segmentShare, mostSegment) {
		return true
	}
	if w != p.leader || w.open.Samples < crawlSamples { // the others keep to the leader's boundaries
		return false
	}
	took := p.now().Sub(w.segmentBegan)
	media := w.duration(w.open.Duration)
	return took >= crawl+2*media && (sync || took >= 2*crawl+2*p.cutter.segmentMax)
}

func share(all, of, most int) int {
	if all <= 0 {
		return most
	}
	return min(most, all/of)
}
