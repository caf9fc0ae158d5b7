package lists

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Multivariant is a multivariant playlist.
type Multivariant struct {
	Variants []Variant
	Audio    []map[string]string // EXT-X-MEDIA, URI resolved
}

// Variant is one of a Multivariant.
type Variant struct {
	URI        string
	Attributes map[string]string
}

// Media lists the media playlists, each once.
func (m *Multivariant) Media() (all []string) {
	add := func(uri string) {
		if !slices.Contains(all, uri) {
			all = append(all, uri)
		}
	}
	for _, v := range m.Variants { // a picture is one with each group of sounds
		add(v.URI)
	}
	for _, a := range m.Audio {
		add(a["URI"])
	}
	return all
}

// StrictMultivariant reads and checks a multivariant playlist that came from base.
func StrictMultivariant(base string, body []byte) (*Multivariant, error) {
	all, err := lines(body)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	p := resolver{base: u}
	out := new(Multivariant)
	var stream map[string]string
	for _, l := range all {
		name, value, _ := strings.Cut(l, ":")
		var a map[string]string
		if strings.Contains(value, "=") {
			if a, err = Attributes(value); err != nil {
				return nil, err
			}
		}
		switch {
		case stream != nil && strings.HasPrefix(l, "#"):
			return nil, fmt.Errorf("%q between EXT-X-STREAM-INF and its URI", l)
		case !strings.HasPrefix(l, "#"):
			if stream == nil {
				return nil, fmt.Errorf("URI %q without EXT-X-STREAM-INF", l)
			}
			out.Variants = append(out.Variants, Variant{p.resolve(l), stream})
			stream = nil
		case name == "#EXT-X-STREAM-INF":
			stream = a
			for _, required := range []string{"BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS"} {
				if a[required] == "" {
					return nil, fmt.Errorf("%q has no %s", l, required)
				}
			}
		case name == "#EXT-X-SESSION-DATA":
			if a["DATA-ID"] == "" || a["VALUE"] == "" {
				return nil, fmt.Errorf("%q lacks something", l)
			}
		case name == "#EXT-X-MEDIA":
			a["URI"] = p.resolve(a["URI"])
			if a["TYPE"] != "AUDIO" || a["GROUP-ID"] == "" || a["NAME"] == "" {
				return nil, fmt.Errorf("%q lacks something", l)
			}
			out.Audio = append(out.Audio, a)
		case name == "#EXT-X-VERSION", name == "#EXT-X-INDEPENDENT-SEGMENTS":
		default:
			return nil, fmt.Errorf("%q is not known to this test", l)
		}
	}
	if stream != nil || len(out.Variants) == 0 {
		return nil, errors.New("no variant, or one without a URI")
	}
	for _, v := range out.Variants {
		if g, ok := v.Attributes["AUDIO"]; ok && !slices.ContainsFunc(out.Audio, func(a map[string]string) bool { return a["GROUP-ID"] == g }) {
			return nil, fmt.Errorf("the audio group %q does not exist", g)
		}
	}
	return out, p.err
}
