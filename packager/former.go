package packager

import (
	"slices"
	"time"
)

// former is a rendition that has nothing to come, but segments that players may
// still ask for.
type former struct {
	Rendition
	until time.Time // by the wall clock
}

type formers []former

// add keeps what a rendition has fetchable until then.
func (f *formers) add(r *Rendition, until time.Time) {
	*f = append(*f, former{
		Rendition: Rendition{
			ID:      r.ID,
			Retired: append(r.Retired[:len(r.Retired):len(r.Retired)], r.Segments...),
			Open:    r.Open,
		},
		until: until,
	})
}

// take gives what is left of a rendition to a writer that goes on with it.
func (f *formers) take(id RenditionID) (closed []*Segment, open MSN) {
	*f = slices.DeleteFunc(*f, func(r former) bool {
		if r.ID != id {
			return false
		}
		closed, open = r.Retired, max(open, r.Open)
		return true
	})
	return closed, open
}

// renditions returns those that are still kept.
func (f *formers) renditions(now time.Time) (all []Rendition) {
	*f = slices.DeleteFunc(*f, func(r former) bool { return now.After(r.until) })
	for _, r := range *f {
		all = append(all, r.Rendition)
	}
	return all
}

// held is what they hold, in bytes.
func (f formers) held() (n int64) {
	for i := range f {
		n += int64(f[i].Bytes())
	}
	return n
}

// dropOldest gives up a segment, if there is any.
func (f formers) dropOldest() bool {
	for i := range f {
		if r := &f[i]; len(r.Retired) > 0 {
			r.Retired = r.Retired[1:]
			return true
		}
	}
	return false
}
