package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-live/sluice/packager"
)

// What may stand behind the # of a URL: it is for us, and nobody else gets it.
const (
	OnDemand = "on_demand" // of pull: fetched while somebody wants it
	Enhanced = "enhanced"  // of push: the target takes all codecs and tracks, whatever it says
)

// mostTargets is how many servers a stream can be pushed to: each is sent all of it.
const mostTargets = 32

// relays says nothing of a URL: it holds keys.
func (fs *faults) relays(c Config) {
	for _, name := range slices.Sorted(maps.Keys(c.Pull)) {
		fs.relayed("pull", name, "the URL", c.Pull[name], OnDemand)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Push)) {
		targets := c.Push[name]
		if len(targets) > mostTargets {
			fs.add("push", "%s: has %d targets; %d are the most", name, len(targets), mostTargets)
		}
		for _, s := range c.ABR.Suffixes {
			if _, last, _ := strings.Cut(name, "/"); s != "" && last != s && strings.HasSuffix(last, s) {
				fs.add("push", "%s: is a quality of %s: a stream is pushed, by its own name", name, strings.TrimSuffix(name, s))
			}
		}
		var seen []string
		for i, t := range targets {
			which := fmt.Sprintf("URL %d", i+1)
			fs.relayed("push", name, which, t, Enhanced)
			where := placeOf(t)
			if before := slices.Index(seen, where); before >= 0 {
				fs.add("push", "%s: %s is the same as URL %d", name, which, before+1)
			}
			seen = append(seen, where)
			if from, ok := c.Pull[name]; ok && placeOf(from) == where {
				fs.add("push", "%s: %s is where it is pulled from: it would go in a circle", name, which)
			}
		}
	}
}

func placeOf(text string) string {
	where, _, _ := strings.Cut(text, "#")
	return where
}

// relayed is for one URL of a stream. which is what to call it.
func (fs *faults) relayed(path, name, which, text, word string) {
	app, last, _ := strings.Cut(name, "/")
	if _, err := packager.ParseStreamName(app, last); err != nil {
		fs.add(path, "%q is not APP/NAME: %v", name, err)
	}
	u, why := parseURL(text, "rtmp", "rtmps")
	if why != "" {
		fs.add(path, "%s: %s is not one such as rtmp://example.com/APP/NAME: %s", name, which, why)
		return
	}
	if way := strings.TrimPrefix(u.Path, "/"); strings.LastIndexByte(way, '/') <= 0 || strings.HasSuffix(way, "/") {
		fs.add(path, "%s: %s has no APP/NAME behind the host: rtmp://HOST/APP/NAME", name, which)
	}
	if u.Fragment != "" && u.Fragment != word {
		fs.add(path, "%s: %s has something else than %s behind #: a # that is part of a key is written %%23", name, which, word)
	}
}
