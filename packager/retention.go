package packager

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

// list settles, where a segment of the leader ends, how many playlists have of
// each rendition. It is a number that leaves room for what must stay behind them,
// or less where there is more than may be.
func (p *Publication) list() int {
	allowed := p.stream.allowed.Load()
	each := p.stream.Window().Need(1)
	if allowed <= 0 || each == 0 {
		return p.set.Segments
	}
	n := (allowed/each - int64(WholeSegments(0))) / 2
	w := p.leader
	listed := w.closed[w.listed:]
	if over := p.held() - allowed; over > 0 {
		n = min(n, int64(len(listed))-over/each)
	}
	least := leastOf(listed, p.target)
	if w.open != nil {
		least = leastBehind(1, w.duration(w.open.Duration).Seconds(), listed, p.target)
	}
	return min(max(int(n), leastListed, least), p.set.Segments)
}

// fit gives up the oldest segments that no list has, while the window holds more
// than it may.
func (p *Publication) fit() {
	allowed := p.stream.allowed.Load()
	for allowed > 0 && p.held() > allowed && p.dropOldest() {
	}
}

// held is what all of it holds, in bytes.
func (p *Publication) held() (n int64) {
	for i := range p.former {
		n += int64(p.former[i].Bytes())
	}
	for _, w := range p.writers {
		for _, s := range w.closed {
			n += int64(s.Size)
		}
		if w.open != nil {
			n += int64(w.open.Size)
		}
		n += int64(cap(w.draft.bytes))
	}
	return n
}

// dropOldest gives up a segment that no list has, if players can do without any.
func (p *Publication) dropOldest() bool {
	for i := range p.former {
		if f := &p.former[i]; len(f.Retired) > 0 {
			f.Retired = f.Retired[1:]
			return true
		}
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
	from.closed, from.listed = from.closed[1:], from.listed-1
	return true
}
