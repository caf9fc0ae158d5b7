package hls

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-live/sluice/packager"
)

// Scope is how much of a media playlist is drawn.
type Scope bool

const (
	Full  Scope = false // all that is listed
	Delta Scope = true  // without the Skippable segments, which the player has (section 6.2.5.1)
)

// Media draws the media playlist of one rendition.
func Media(w *packager.Window, r *packager.Rendition, scope Scope) []byte {
	m := media{w: w, r: r, b: make([]byte, 0, 1024+256*len(r.Segments))}
	skipped := 0
	if scope == Delta {
		skipped = Skippable(w, r)
	}
	m.head(skipped)
	parts := partsFrom(w, r)
	for i := skipped; i < len(r.Segments); i++ {
		var before *packager.Header
		if i > 0 {
			before = r.Segments[i-1].Header
		}
		m.segment(r.Segments[i], before, i >= parts)
	}
	if w.State == packager.Ended {
		m.b = append(m.b, "#EXT-X-ENDLIST\n"...)
		return m.b
	}
	m.open()
	m.reports()
	return m.b
}

// Skippable is the number of segments that a delta update leaves out: those
// wholly before the skip boundary (section 4.4.5.2).
func Skippable(w *packager.Window, r *packager.Rendition) int {
	if w.State == packager.Ended {
		return 0
	}
	rest := SkipUntil(w).Seconds()
	for i := len(r.Segments) - 1; i >= 0; i-- {
		if rest <= 0 {
			return i + 1
		}
		rest -= r.Segments[i].Seconds()
	}
	return 0
}

// media is a media playlist in the making.
type media struct {
	w *packager.Window
	r *packager.Rendition
	b []byte
}

func (m *media) head(skipped int) {
	w, r := m.w, m.r
	version := 6
	if r.OpenGap || slices.ContainsFunc(r.Segments, func(s *packager.Segment) bool { return s.Gaps }) {
		version = 8 // EXT-X-GAP
	}
	if skipped > 0 {
		version = 9
	}
	m.b = fmt.Appendf(m.b, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%d\n", version, w.TargetDuration)
	if w.State != packager.Ended {
		m.b = fmt.Appendf(m.b, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=%s,HOLD-BACK=%s,CAN-SKIP-UNTIL=%s\n",
			seconds(PartHoldBack(w)), seconds(HoldBack(w)), seconds(SkipUntil(w)))
		m.b = fmt.Appendf(m.b, "#EXT-X-PART-INF:PART-TARGET=%s\n", seconds(w.PartTarget))
	}
	first, sequence := r.Open, int64(0)
	if len(r.Segments) > 0 {
		first, sequence = r.Segments[0].MSN, r.Segments[0].Header.Period.Sequence
	}
	m.b = fmt.Appendf(m.b, "#EXT-X-MEDIA-SEQUENCE:%d\n#EXT-X-DISCONTINUITY-SEQUENCE:%d\n", first, sequence)
	if independent(r.Segments) {
		m.b = append(m.b, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	if skipped > 0 {
		m.b = fmt.Appendf(m.b, "#EXT-X-SKIP:SKIPPED-SEGMENTS=%d\n", skipped)
	}
}

// segment adds a closed segment, with its parts where they are listed. before is
// the header of the one before it, nil for the first of the playlist.
func (m *media) segment(s *packager.Segment, before *packager.Header, partsListed bool) {
	m.start(s.Header, before, s.Time())
	if partsListed {
		m.parts(s.Header, Parts(m.w, s.Header, s.Parts))
	}
	if s.Gap() {
		m.b = append(m.b, "#EXT-X-GAP\n"...)
	}
	m.b = append(m.b, "#EXTINF:"...)
	m.b = strconv.AppendFloat(m.b, s.Seconds(), 'f', 5, 64)
	m.b = fmt.Appendf(m.b, ",\n%s/%s\n", m.r.ID, s.Name())
}

// start adds what must stand before the first part of a segment.
func (m *media) start(h, before *packager.Header, at time.Time) {
	if h != before {
		if before != nil {
			// One for each period, also for those that this rendition has nothing of.
			for range h.Period.Sequence - before.Period.Sequence {
				m.b = append(m.b, "#EXT-X-DISCONTINUITY\n"...)
			}
		}
		m.b = fmt.Appendf(m.b, "#EXT-X-MAP:URI=\"%s/%s\"\n", m.r.ID, h.Name())
	}
	m.b = append(m.b, "#EXT-X-PROGRAM-DATE-TIME:"...)
	m.b = at.AppendFormat(m.b, "2006-01-02T15:04:05.000Z\n")
}

// partsFrom is the index of the first closed segment that is near enough to the
// end of the playlist for players to want its parts: three target durations
// (section 4.4.4.9). It is asked once for each drawing: it walks the window.
func partsFrom(w *packager.Window, r *packager.Rendition) int {
	i := len(r.Segments)
	if w.State == packager.Ended {
		return i
	}
	for rest := HoldBack(w).Seconds(); i > 0 && rest > 0; i-- {
		rest -= r.Segments[i-1].Seconds()
	}
	return i
}

// Parts returns those of a segment that players are told of: all or none. No
// part may be longer than the target (section 4.4.3.7), which is settled for
// good when an encoder comes back whose frames are.
func Parts(w *packager.Window, h *packager.Header, all []packager.Part) []packager.Part {
	const rounding = 10e-6 // of what DURATION says
	if len(all) > 0 && h.Seconds(all[0].Duration) > w.PartTarget.Seconds()+rounding {
		return nil
	}
	return all
}

func (m *media) parts(h *packager.Header, parts []packager.Part) {
	for _, p := range parts {
		m.b = append(m.b, "#EXT-X-PART:DURATION="...)
		m.b = strconv.AppendFloat(m.b, h.Seconds(p.Duration), 'f', 5, 64)
		m.b = fmt.Appendf(m.b, ",URI=\"%s/%s\"", m.r.ID, h.PartName(p.Number))
		if p.Independent {
			m.b = append(m.b, ",INDEPENDENT=YES"...)
		}
		if p.Gap {
			m.b = append(m.b, ",GAP=YES"...)
		}
		m.b = append(m.b, '\n')
	}
}

// open adds the segment in production, and the part that comes next.
func (m *media) open() {
	r := m.r
	if r.Header == nil || m.w.State == packager.Waiting {
		return
	}
	var before *packager.Header
	parts, whole := Parts(m.w, r.Header, r.Parts), false
	if n := len(r.Segments); n > 0 {
		s := r.Segments[n-1]
		before = s.Header
		whole = before == r.Header && len(Parts(m.w, before, s.Parts)) == 0 // and so will this one come
	}
	if len(r.Parts) > 0 {
		whole = len(parts) == 0
	}
	if whole {
		return
	}
	if len(parts) > 0 {
		m.start(r.Header, before, r.Header.Time(r.OpenPTS))
		m.parts(r.Header, parts)
	}
	if r.Away {
		return // what comes next may be a gap
	}
	m.b = fmt.Appendf(m.b, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"%s/%s\"\n", r.ID, r.Header.PartName(r.NextPart))
}

// reports tell a player that switches where the other renditions are (section
// 4.4.5.4).
func (m *media) reports() {
	for i := range m.w.Renditions {
		o := &m.w.Renditions[i]
		if o.ID == m.r.ID || len(o.Segments) == 0 {
			continue
		}
		msn, part := last(m.w, o)
		m.b = fmt.Appendf(m.b, "#EXT-X-RENDITION-REPORT:URI=\"%s.m3u8\",LAST-MSN=%d", o.ID, msn)
		if part >= 0 {
			m.b = fmt.Appendf(m.b, ",LAST-PART=%d", part)
		}
		m.b = append(m.b, '\n')
	}
}

// last returns where the last part of a rendition is: the number of its segment,
// and its index in it, −1 where that is told of as a whole.
func last(w *packager.Window, r *packager.Rendition) (packager.MSN, int) {
	if n := len(Parts(w, r.Header, r.Parts)); n > 0 {
		return r.Open, n - 1
	}
	s := r.Segments[len(r.Segments)-1]
	return s.MSN, len(Parts(w, s.Header, s.Parts)) - 1
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Milliseconds())/1000, 'f', -1, 64)
}
