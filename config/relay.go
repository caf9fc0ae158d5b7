package config

import (
	"maps"
	"net/url"
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
		fs.relayed("pull", name, c.Pull[name], OnDemand)
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
		for _, t := range targets {
			fs.relayed("push", name, t, Enhanced)
			where := placeOf(t)
			if slices.Contains(seen, where) {
				fs.add("push", "%s: has the same URL twice", name)
			}
			seen = append(seen, where)
			if from, ok := c.Pull[name]; ok && placeOf(from) == where {
				fs.add("push", "%s: is pushed to where it is pulled from: it would go in a circle", name)
			}
		}
	}
}

func placeOf(text string) string {
	where, _, _ := strings.Cut(text, "#")
	return where
}

func (fs *faults) relayed(path, name, text, word string) {
	app, last, _ := strings.Cut(name, "/")
	if _, err := packager.ParseStreamName(app, last); err != nil {
		fs.add(path, "%q is not APP/NAME: %v", name, err)
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "rtmp" && u.Scheme != "rtmps" || u.Hostname() == "" {
		fs.add(path, "%s: is not a URL such as rtmp://example.com/APP/NAME", name)
		return
	}
	if way := strings.TrimPrefix(u.Path, "/"); strings.LastIndexByte(way, '/') <= 0 || strings.HasSuffix(way, "/") {
		fs.add(path, "%s: the URL has no APP/NAME behind the host: rtmp://HOST/APP/NAME", name)
	}
	if u.Fragment != "" && u.Fragment != word {
		fs.add(path, "%s: what is behind # in the URL is not %s: a # that is part of a key is written %%23", name, word)
	}
}
