package e2e

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// history checks each version of a playlist against the one before.
type history struct {
	last    *lists.Playlist
	changed time.Time // when a segment was added last
	longest time.Duration
	updates int
	slides  int // segments that left the list
}

// add takes the version that was fetched at now.
func (h *history) add(p *lists.Playlist, now time.Time) error {
	before := h.last
	h.last = p
	if before == nil {
		h.changed = now
		return nil
	}
	switch removed := p.Sequence - before.Sequence; {
	case p.Target != before.Target:
		return fmt.Errorf("target duration %d was %d", p.Target, before.Target)
	case removed < 0:
		return fmt.Errorf("media sequence %d was %d", p.Sequence, before.Sequence)
	case p.Next() < before.Next():
		return fmt.Errorf("segment %d was there, now %d is the last", before.Next()-1, p.Next()-1)
	case before.Ended && (!p.Ended || p.Next() != before.Next() || removed > 0):
		return errors.New("it changed after EXT-X-ENDLIST")
	default:
		h.slides += int(removed)
		var discontinuities int64
		for i, s := range before.Segments {
			if int64(i) < removed {
				if s.Breaks {
					discontinuities++
				}
				continue
			}
			same := p.Segments[int64(i)-removed]
			if int64(i) == removed {
				same.Breaks = s.Breaks // the first needs no tag
			}
			if same.URI != s.URI || same.Text != s.Text || same.Header != s.Header || !same.Date.Equal(s.Date) || same.Breaks != s.Breaks {
				return fmt.Errorf("segment %d was %+v, is %+v", s.MSN, s, same)
			}
		}
		// The tag of the first segment may be left out already.
		if step := p.Discontinuity - before.Discontinuity; step < discontinuities {
			return fmt.Errorf("discontinuity sequence went on by %d, %d left the list", step, discontinuities)
		}
	}
	if p.Next() > before.Next() {
		h.updates++
		h.longest = max(h.longest, now.Sub(h.changed))
		h.changed = now
	}
	return nil
}

// mpdHistory checks each version of a manifest against the one before.
type mpdHistory struct {
	last *lists.Manifest
}

func (h *mpdHistory) add(m *lists.Manifest) error {
	before := h.last
	h.last = m
	if err := m.Check(); err != nil || before == nil {
		return err
	}
	if !m.AvailabilityStartTime.Equal(before.AvailabilityStartTime) {
		return errors.New("availabilityStartTime changed")
	}
	if m.PublishTime.Before(before.PublishTime) {
		return fmt.Errorf("publishTime %s was %s", m.PublishTime, before.PublishTime)
	}
	if before.Type == "static" && m.Type != "static" {
		return errors.New("dynamic again")
	}
	old, err := before.Tracks()
	if err != nil {
		return err
	}
	now, err := m.Tracks()
	if err != nil {
		return err
	}
	changed := m.Type != before.Type
	for _, a := range old {
		for _, b := range now {
			if a.Period != b.Period || a.Rep.ID != b.Rep.ID {
				continue
			}
			if a.Header != b.Header || a.Timescale != b.Timescale {
				return fmt.Errorf("Representation %s changed within its Period", a.Rep.ID)
			}
			changed = changed || len(a.Segments) != len(b.Segments) || a.Segments[0] != b.Segments[0]
			byURI := make(map[string]lists.MPDSegment)
			for _, s := range a.Segments {
				byURI[s.URI] = s
			}
			for _, s := range a.Segments[max(0, len(a.Segments)-2):] {
				delete(byURI, s.URI) // in production, and the one behind: they were foreseen
			}
			for _, s := range b.Segments {
				if was, ok := byURI[s.URI]; ok && !a.Same(was, s) {
					return fmt.Errorf("segment %+v was %+v", s, was)
				}
			}
		}
	}
	if changed && m.PublishTime.Equal(before.PublishTime) {
		return fmt.Errorf("the content changed, publishTime %s did not", m.PublishTime)
	}
	return nil
}
