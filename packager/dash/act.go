package dash

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// act is what a manifest's Period is: a period of the packager, or a stretch of one in
// which there are always the same pictures to choose from (see packager.Act).
type act struct {
	period *packager.Period
	from   packager.MSN // the first segment; 0 where it is the period's
	again  int          // see packager.Act.Revision
	begins int64        // ns since 1970
}

// actOf tells to which act a segment of a rendition belongs, and whether it is listed: a
// picture that comes in the middle of an act is so from the next one on.
func actOf(w *packager.Window, r *packager.Rendition, h *packager.Header, n packager.MSN) (a act, on bool) {
	a = act{period: h.Period, begins: h.Period.Start}
	for _, t := range slices.Backward(w.Acts) {
		if t.Period != h.Period || t.MSN > n && !t.First {
			continue
		}
		if a.again = t.Revision; !t.First || t.Revision > 0 {
			a.from = t.MSN
		}
		if !t.First {
			a.begins = t.Start
		}
		return a, h.Track.Kind() != remux.Video || slices.Contains(t.Pictures, r.ID)
	}
	return a, true
}

// whole leaves out the newest Period until all that come have a segment in it, as players
// look for the renditions of a Period when it is new to them; and the oldest, of which some
// list nothing any more and others do.
func whole(w *packager.Window, all []*mpd.Period, acts map[*mpd.Period]act) []*mpd.Period {
	if n := len(all); n > 1 && w.State == packager.Live && acts[all[n-1]].turn() {
		if slices.ContainsFunc(missing(w, acts[all[n-1]], all[n-1], all[n-2]), func(r *packager.Rendition) bool { return comes(r) }) {
			all = all[:n-1]
		}
	}
	for len(all) > 1 && len(missing(w, acts[all[0]], all[0], all[1])) > 0 {
		all = all[1:]
	}
	return all
}

// missing are the pictures of an act, and the sounds of one beside it, that it hasn't.
func missing(w *packager.Window, a act, p, beside *mpd.Period) (list []*packager.Rendition) {
	i := slices.IndexFunc(w.Acts, func(t packager.Act) bool { return t.Period == a.period && (t.MSN == a.from || t.First && a.from == 0) })
	if i < 0 {
		return nil
	}
	for k := range w.Renditions {
		r := &w.Renditions[k]
		if (slices.Contains(w.Acts[i].Pictures, r.ID) || has(beside, r, "audio")) && !has(p, r, "") {
			list = append(list, r)
		}
	}
	return list
}

// has tells whether a Period has a rendition, of that kind of content or of any.
func has(p *mpd.Period, r *packager.Rendition, kind mpd.RFC6838ContentTypeType) bool {
	return slices.ContainsFunc(p.AdaptationSets, func(a *mpd.AdaptationSetType) bool {
		return (kind == "" || a.ContentType == kind) && slices.ContainsFunc(a.Representations, func(o *mpd.RepresentationType) bool { return o.Id == string(r.ID) })
	})
}

// takesPart tells whether the segment in production of a rendition is listed: the others
// don't wait for one that has just joined.
func takesPart(w *packager.Window, r *packager.Rendition) bool {
	_, on := actOf(w, r, r.Header, r.Open)
	return on
}

// turn tells whether it begins within a period of the packager.
func (a act) turn() bool { return a.from != 0 }

// id is the same for as long as anything of it is listed, and never comes back.
func (a act) id() string {
	if a.from == 0 {
		return periodID(a.period)
	}
	return fmt.Sprintf("%s-%d.%d", periodID(a.period), a.from, a.again)
}

// start is Period@start: milliseconds are what a manifest writes.
func (a act) start() time.Duration { return time.Duration(a.begins).Truncate(time.Millisecond) }

func periodID(p *packager.Period) string { return "p" + p.ID }

// connected says that what follows is decoded with the headers of that Period, and that no
// time lies between.
func connected(id string) []*mpd.DescriptorType {
	return []*mpd.DescriptorType{mpd.NewDescriptor(connectivity, id, "")}
}

const connectivity = "urn:mpeg:dash:period-connectivity:2015"

// connect says so of acts of one period, and names the last act of a period where the next
// one is connected with that.
func connect(all []*mpd.Period) {
	for i, p := range all[min(1, len(all)):] {
		before := all[i]
		whole, _, isLater := strings.Cut(p.Id, "-")
		of, _, _ := strings.Cut(before.Id, "-")
		for _, a := range p.AdaptationSets {
			has := slices.ContainsFunc(before.AdaptationSets, func(b *mpd.AdaptationSetType) bool { return *b.Id == *a.Id })
			switch {
			case isLater && of == whole && has:
				a.SupplementalProperties = append(connected(before.Id), a.SupplementalProperties...)
			case !isLater && len(a.SupplementalProperties) > 0 && a.SupplementalProperties[0].SchemeIdUri == connectivity && a.SupplementalProperties[0].Value == of:
				a.SupplementalProperties[0].Value = before.Id
			}
		}
	}
}
