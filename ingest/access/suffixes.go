package access

import (
	"slices"
	"strings"
)

// Suffixes are what names of qualities end with: live/cam1_720p is a quality of
// live/cam1.
type Suffixes []string

// Cut parts a name, or APP/NAME, from the longest suffix that fits, and tells which of
// them it is. A name that is nothing but a suffix has none, and place -1 then.
func (all Suffixes) Cut(name string) (stream, suffix string, place int) {
	place = -1
	if _, last := SplitPath(name); slices.Contains(all, last) {
		return name, "", place
	}
	for i, s := range all {
		if before, ok := strings.CutSuffix(name, s); ok && len(s) > len(suffix) {
			stream, suffix, place = before, s, i
		}
	}
	if place < 0 {
		return name, "", place
	}
	return stream, suffix, place
}
