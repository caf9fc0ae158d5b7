package gate

import (
	"testing"

	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/packager"
)

func TestPushedNames(t *testing.T) {
	g := &Gate{Suffixes: access.Suffixes{"_1080p", "_720p"}}
	for path, want := range map[string]struct {
		stream string
		from   packager.Contributor
	}{
		"live/cam1":             {"live/cam1", packager.Contributor{}},
		"live/cam1_1080p":       {"live/cam1", packager.Contributor{Label: "_1080p", Name: "1080p", Order: 1}},
		"live/cam1_720p":        {"live/cam1", packager.Contributor{Label: "_720p", Name: "720p", Order: 2}},
		"live/_720p":            {"live/_720p", packager.Contributor{}}, // nothing but a suffix
		"live/cam1_720p_1080p":  {"live/cam1_720p", packager.Contributor{Label: "_1080p", Name: "1080p", Order: 1}},
		"live/cam1_480p":        {"live/cam1_480p", packager.Contributor{}},
		"studio_720p/cam_1080p": {"studio_720p/cam", packager.Contributor{Label: "_1080p", Name: "1080p", Order: 1}},
	} {
		p, err := g.parse(path)
		if err != nil || p.name.String() != path || p.stream.String() != want.stream || p.from != want.from {
			t.Errorf("%s: %v, %v", path, p, err)
		}
	}
	for _, path := range []string{"live/.._720p", "/_720p", "live/", "_live/cam1_720p", "live/a b_720p"} {
		if p, err := g.parse(path); err == nil {
			t.Errorf("%s: %v", path, p)
		}
	}
}
