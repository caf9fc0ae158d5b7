package packager

import "slices"

// Act is a stretch of a period in which there are always the same pictures to choose from.
// Another one begins where one is lost, comes back, or joins late. Playlists say so by gaps.
// A manifest cannot: what dash.js 5.2 and Shaka 5.2 make of it was tried. In front of a hole
// in a Representation's timeline both stay with it and show nothing (for 14 s and more,
// with another one beside it), and Shaka never looks for a Representation that is new in a
// Period that it knows. So an act is a Period of a manifest, with the same names of media.
type Act struct {
	Period   *Period
	MSN      MSN           // the first segment that it is true of
	Start    int64         // of that segment, nanoseconds since 1970
	Pictures []RenditionID // that can be chosen from here on, at least one; must not be modified
	First    bool          // it is where Period begins
	Revision int           // how often Pictures was found to be otherwise

	seen MSN // the newest segment that was looked at
}

// actsBehind returns the acts of w, which follow those of before: the same list as long as nothing is
// new, since this is asked for each part. Streams with one picture have none.
func actsBehind(before, w *Window) []Act {
	old := before.Acts
	period, newest, start, pictures := newestOfPictures(w)
	if period == nil || pictures < 2 && len(old) == 0 {
		return old
	}
	acts := listed(old, w)
	n := len(acts)
	if n == 0 || acts[n-1].Period != period {
		return firstAct(acts, w, period, newest)
	}
	var room [8]RenditionID
	if !before.StillPlayable() { // no manifest had them
		acts = withLater(acts, w)
	}
	had, seen := acts[n-1].Pictures, acts[n-1].seen
	now := appendPictures(room[:0], w, func(r *Rendition) bool {
		was := slices.Contains(had, r.ID)
		if r.Open < newest && !r.Away { // it hasn't come that far
			return was || r.mediaIn(period, newest-1)
		}
		// What is told once of a segment is taken back only where there is nothing.
		return r.mediaIn(period, newest) && (was || newest > seen)
	})
	none := !slices.ContainsFunc(w.Renditions, func(r Rendition) bool { return r.mediaIn(period, newest-1) && r.isPicture() })
	last := acts[n-1]
	switch {
	case len(now) == 0 || slices.Equal(now, had) || none && newest > last.MSN: // all were away: they come back one behind the other
		if newest > seen {
			last.seen = newest
			acts = append(slices.Clone(acts[:n-1]), last)
		}
	case last.MSN == newest:
		last.Pictures = slices.Clone(now)
		last.Revision++
		acts = append(slices.Clone(acts[:n-1]), last)
	default:
		acts = append(slices.Clip(acts), Act{Period: period, MSN: newest, Start: start, Pictures: slices.Clone(now), seen: newest})
	}
	return prune(acts, w)
}

// firstAct adds the act with which a period begins, once all that come have begun it.
func firstAct(acts []Act, w *Window, period *Period, newest MSN) []Act {
	if !begun(w, period) {
		return acts
	}
	fresh := len(appendPictures(nil, w, func(r *Rendition) bool { return r.closedIn(period) })) == 0
	now := appendPictures(nil, w, func(r *Rendition) bool { return r.closedIn(period) || fresh && !r.Away })
	if len(now) == 0 {
		return acts
	}
	return append(slices.Clip(acts), Act{Period: period, MSN: newest, Start: period.Start, Pictures: now, First: true, seen: newest})
}

// withLater returns acts with those pictures in the last one, if its period begins with that, which came later and
// have its first segment.
func withLater(acts []Act, w *Window) []Act {
	last := acts[len(acts)-1]
	if !last.First {
		return acts
	}
	all := appendPictures(nil, w, func(r *Rendition) bool {
		return slices.Contains(last.Pictures, r.ID) || r.mediaIn(last.Period, last.MSN)
	})
	if slices.Equal(all, last.Pictures) {
		return acts
	}
	last.Pictures = all
	last.Revision++
	return append(slices.Clone(acts[:len(acts)-1]), last)
}

// listed returns the acts whose periods are.
func listed(acts []Act, w *Window) []Act {
	gone := func(t Act) bool { return !listsPeriod(w, t.Period) }
	if !slices.ContainsFunc(acts, gone) {
		return acts
	}
	return slices.DeleteFunc(slices.Clone(acts), gone)
}

// newestOfPictures returns the newest period, its newest segment that a picture has begun,
// where that starts, ns, and how many pictures there are. There is no period where there is
// nothing of it.
func newestOfPictures(w *Window) (period *Period, newest MSN, start int64, pictures int) {
	for i := range w.Renditions {
		r := &w.Renditions[i]
		if !r.isPicture() {
			continue
		}
		pictures++
		if r.Header == nil || r.OpenStart == 0 || r.Away || r.OpenGap {
			continue
		}
		p, at := r.Header.Period, nanoseconds(r.OpenStart, r.Header.Track.Timescale)
		switch {
		case period == nil || p.Sequence > period.Sequence || p == period && r.Open > newest:
			period, newest, start = p, r.Open, at
		case p == period && r.Open == newest:
			start = min(start, at)
		}
	}
	return period, newest, start, pictures
}

// begun tells whether all renditions that come have a header in a period.
func begun(w *Window, p *Period) bool {
	return !slices.ContainsFunc(w.Renditions, func(r Rendition) bool { return !r.Away && (r.Header == nil || r.Header.Period != p) })
}

func (r *Rendition) isPicture() bool {
	h := r.Newest()
	return h != nil && h.Track.Picture.Width > 0
}

// mediaIn tells whether a segment, closed or in production, is there from its beginning on.
func (r *Rendition) mediaIn(period *Period, n MSN) bool {
	if r.Header != nil && r.Header.Period == period && r.Open == n && r.OpenStart != 0 {
		return len(r.Parts) == 0 || !r.Parts[0].Gap
	}
	for _, s := range slices.Backward(r.Segments) {
		if s.MSN == n && s.Header.Period == period {
			return !s.Gap() && s.Lead == 0
		}
	}
	return false
}

// closedIn tells whether a segment of a period is closed that has media.
func (r *Rendition) closedIn(p *Period) bool {
	return slices.ContainsFunc(r.Segments, func(s *Segment) bool { return s.Header.Period == p && !s.Gap() })
}

// appendPictures appends the ids of those pictures to an empty list, in order.
func appendPictures(ids []RenditionID, w *Window, has func(*Rendition) bool) []RenditionID {
	for i := range w.Renditions {
		if r := &w.Renditions[i]; r.isPicture() && has(r) {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func listsPeriod(w *Window, p *Period) bool {
	return slices.ContainsFunc(w.Renditions, func(r Rendition) bool {
		return r.Header != nil && r.Header.Period == p ||
			slices.ContainsFunc(r.Segments, func(s *Segment) bool { return s.Header.Period == p })
	})
}

// prune drops the acts that nothing listed is of any more.
func prune(acts []Act, w *Window) []Act {
	first := MSN(1<<63 - 1)
	for i := range w.Renditions {
		if l := w.Renditions[i].Segments; len(l) > 0 {
			first = min(first, l[0].MSN)
		}
	}
	for len(acts) > 1 && acts[1].MSN <= first {
		acts = acts[1:]
	}
	return acts
}
