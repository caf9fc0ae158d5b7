package config

import (
	"slices"
	"strings"

	"github.com/sluice-live/sluice/packager"
)

const (
	maxQualities = 8  // each is a stream's memory and a viewer's choice
	maxSuffix    = 32 // characters
)

func (fs *faults) abr(a ABR) {
	const path = "abr.suffixes"
	if n := len(a.Suffixes); n > maxQualities {
		fs.add(path, "has %d; a stream has at most %d qualities", n, maxQualities)
	}
	var good []string
	for _, s := range a.Suffixes {
		_, err := packager.ParseStreamName("live", "x"+s)
		switch {
		case s == "" || len(s) > maxSuffix || err != nil:
			fs.add(path, "%q can't be the end of a name: 1 to %d letters, digits and - _ . ~ can", s, maxSuffix)
		case slices.Contains(good, s):
			fs.add(path, "%q is there twice", s)
		default:
			good = append(good, s)
		}
	}
	for _, s := range good {
		for _, end := range good {
			if s != end && strings.HasSuffix(s, end) {
				fs.add(path, "%q ends with %q: it wouldn't be clear which of them a name ends with", s, end)
			}
		}
	}
	if a.Audio != "" && !slices.Contains(a.Suffixes, a.Audio) {
		fs.clash("abr.audio", path, "%q is not one of abr.suffixes [%s]", a.Audio, strings.Join(a.Suffixes, ", "))
	}
}
