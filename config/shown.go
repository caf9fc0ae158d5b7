package config

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Setting is one setting, as operators may see it.
type Setting struct {
	Path   string // rtmp.addr
	Value  string // as a flag would have it; of a secret, not more than whether there is one
	Secret bool
}

// hidden stands for a secret that is set.
const hidden = "(hidden)"

// Settings are all of them, in the order of sluice.yaml. What would let somebody in
// is hidden: what is named so, the hashes of keys and passwords, and whatever a URL
// has beside its host.
func (c Config) Settings() (all []Setting) {
	for _, f := range fieldsOf(&c) {
		s := Setting{Path: f.path, Value: f.String(), Secret: secret(f.path)}
		switch {
		case s.Secret && s.Value != "":
			s.Value = hidden
		case f.path == "pull" || f.path == "push":
			s.Value = hostsOf(f)
		case strings.HasSuffix(f.path, "url") && s.Value != "":
			s.Value = hostOf(s.Value)
		case strings.HasSuffix(f.path, "urls") && s.Value != "":
			var hosts []string
			for _, u := range splitList(s.Value) {
				hosts = append(hosts, hostOf(u))
			}
			s.Value = strings.Join(hosts, ",")
		}
		all = append(all, s)
	}
	return all
}

// Differ names the settings in which two configurations differ, in the order of sluice.yaml.
func Differ(a, b Config) (paths []string) {
	others := fieldsOf(&b)
	for i, f := range fieldsOf(&a) {
		if f.String() != others[i].String() {
			paths = append(paths, f.path)
		}
	}
	return paths
}

// secret tells whether the value of a setting must not be shown. The name of a file
// with a secret is none.
func secret(path string) bool {
	name := path[strings.LastIndexByte(path, '.')+1:]
	if strings.HasSuffix(name, "_file") {
		return false
	}
	return name == "keys" || name == "users" || strings.Contains(name, "secret") || strings.Contains(name, "token") || strings.Contains(name, "password")
}

// hostsOf is what a map of URLs has, without what may be secret in them.
func hostsOf(f field) string {
	var shown []string
	switch p := f.ptr.(type) {
	case *map[string]string:
		for _, name := range slices.Sorted(maps.Keys(*p)) {
			shown = append(shown, name+"="+hostOf((*p)[name]))
		}
	case *map[string][]string:
		for _, name := range slices.Sorted(maps.Keys(*p)) {
			for _, text := range (*p)[name] {
				shown = append(shown, name+"="+hostOf(text))
			}
		}
	}
	return strings.Join(shown, ",")
}

// hostOf is a URL without what may be secret in it.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return hidden
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return shown.String() + "/…"
	}
	return shown.String()
}
