package packager

import "time"

// A window may hold so many bytes and no more. Where its segments are larger than
// that allows, there are fewer of them: first of those that no list has any more,
// then of those that are listed.

const (
	// LeastSegments is how few segments players can do with: three that are
	// listed, as they begin three target durations before the end (RFC 8216bis,
	// section 6.3.3), two behind them for those who have a list that is no longer
	// the newest, and the one in production.
	LeastSegments = leastListed + leastRetired + 1

	leastListed  = 3
	leastRetired = 2
)

// WholeSegments is how many segments a window has whose playlists have n: as many
// behind them and one more (section 6.2.2), the one in production, and one that is
// about to be.
func WholeSegments(n int) int { return 2*n + 3 }

// Allow bounds what the window of a stream holds, in bytes. Its writer keeps to
// that from the next segment on, as long as LeastSegments fit. 0 sets no bound.
func (s *Stream) Allow(bytes int64) { s.allowed.Store(bytes) }

// Need is what so many segments hold, in bytes, as long as those that are coming
// are like the ones that are there. It is 0 while nothing is known.
func (w *Window) Need(segments int) int64 {
	var rate float64
	for i := range w.Renditions {
		rate += w.Renditions[i].bytesPerSecond()
	}
	return int64(rate * float64(w.TargetDuration) * float64(segments))
}

// bytesPerSecond is how much a second of media takes, of what is listed.
func (r *Rendition) bytesPerSecond() float64 {
	bytes, seconds := 0, 0.0
	for _, s := range r.Segments {
		bytes += s.Size
		seconds += s.Seconds()
	}
	return float64(bytes) / max(seconds, 1)
}

// Shortest tells whether a window is as short as players can bear.
func (w *Window) Shortest() bool {
	for i := range w.Former {
		if len(w.Former[i].Retired) > 0 {
			return false
		}
	}
	for i := range w.Renditions {
		r := &w.Renditions[i]
		if len(r.Retired) > leastRetired || len(r.Segments) > leastOf(r.Segments, w.TargetDuration) {
			return false
		}
	}
	return true
}

// leastOf is how many of the newest segments must stay listed: three, and as many
// as last three target durations.
func leastOf(list []*Segment, target int) int { return leastBehind(0, 0, list, target) }

// leastBehind is the same where n newer ones last so many seconds.
func leastBehind(n int, seconds float64, list []*Segment, target int) int {
	const jitter = 0.05 // of a segment, in s: see targetDuration
	enough := leastListed * (float64(target) - jitter)
	for i := len(list) - 1; i >= 0 && (n < leastListed || seconds < enough); i-- {
		n++
		seconds += list[i].Seconds()
	}
	return n
}

// retention is how many segments the lists of a publication have, and how long the
// others stay behind them. It is the same for all renditions.
type retention struct {
	stream *Stream
	most   int           // segments that a list has where there is room
	listed int           // segments that a list has, at most
	extent time.Duration // the longest that a list has been
	held   func() int64  // what all renditions hold, bytes
}

// choose says, where a segment of the leader ends, how many a list has from then on.
// It is a number that leaves room for what must stay behind it, or less where there
// is more than may be. listed are the leader's; the one that ends lasts that long.
func (r *retention) choose(listed []*Segment, ends time.Duration, target int) {
	r.listed = r.most
	allowed := r.stream.allowed.Load()
	each := r.stream.Window().Need(1)
	if allowed <= 0 || each == 0 {
		return
	}
	n := (allowed/each - int64(WholeSegments(0))) / 2
	if over := r.held() - allowed; over > 0 {
		n = min(n, int64(len(listed))-over/each)
	}
	least := leastBehind(1, ends.Seconds(), listed, target)
	r.listed = min(max(int(n), leastListed, least), r.most)
}

// keep takes how long a list is, and returns how long a segment behind it is kept, but
// for its own duration.
func (r *retention) keep(extent time.Duration) time.Duration {
	r.extent = max(r.extent, extent)
	return r.extent
}

// fit gives up the oldest segments that no list has, while the window holds more
// than it may.
func (p *publication) fit() {
	allowed := p.stream.allowed.Load()
	for allowed > 0 && p.held() > allowed && p.dropOldest() {
	}
}

// held is what all of it holds, in bytes.
func (p *publication) held() (n int64) {
	n = p.former.held()
	for _, w := range p.writers {
		n += w.held()
	}
	return n
}

// held is what a rendition holds, in bytes.
func (w *writer) held() (n int64) {
	for _, s := range w.closed {
		n += int64(s.Size)
	}
	if w.open != nil {
		n += int64(w.open.Size)
	}
	return n + int64(cap(w.part.draft.bytes))
}

// dropOldest gives up a segment that no list has, if players can do without any.
func (p *publication) dropOldest() bool {
	if p.former.dropOldest() {
		return true
	}
	var from *writer
	for _, w := range p.writers {
		if w.listed > leastRetired && (from == nil || w.closed[0].end() < from.closed[0].end()) {
			from = w
		}
	}
	if from == nil {
		return false
	}
	from.drop()
	return true
}
