package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// No secret is shown, wherever it stands; all else is.
func TestSettingsHideSecrets(t *testing.T) {
	c := Default()
	const evil = "5ecret5ecret5ecret5ecret"
	secrets := 0
	for _, f := range fieldsOf(&c) {
		switch p := f.ptr.(type) {
		case *string:
			if strings.HasSuffix(f.path, "url") {
				*p = "https://anna:" + evil + "@example.com/" + evil + "?" + evil
			} else if secret(f.path) {
				*p = evil
			}
		case *[]string:
			if secret(f.path) {
				*p = []string{evil}
			} else if strings.HasSuffix(f.path, "urls") {
				*p = []string{"https://anna:" + evil + "@example.org/" + evil, "http://b?" + evil}
			}
		case *map[string]string:
			*p = map[string]string{"cam1": evil}
			if f.path == "pull" {
				*p = map[string]string{"live/cam1": "rtmp://anna:" + evil + "@example.com/live/" + evil + "?a=b," + evil}
			}
		case *map[string][]string:
			*p = map[string][]string{"live/cam1": {"rtmp://example.com/live/" + evil, evil}}
		}
		if secret(f.path) {
			secrets++
		}
	}
	shown := c.Settings()
	if text := fmt.Sprint(shown); strings.Contains(text, evil) || !strings.Contains(text, "https://example.com") || !strings.Contains(text, "https://example.org/…,http://b/…") || !strings.Contains(text, "{rtmp.addr :1935 false}") ||
		!strings.Contains(text, "{pull live/cam1=rtmp://example.com/… false}") || !strings.Contains(text, "{push live/cam1=rtmp://example.com/…,live/cam1=(hidden) false}") {
		t.Error(text)
	}
	if len(shown) != len(fieldsOf(&c)) || secrets < 10 {
		t.Errorf("%d settings, %d of them secret", len(shown), secrets)
	}
	for _, s := range Default().Settings() {
		if s.Value == hidden {
			t.Errorf("%s is said to be set", s.Path)
		}
	}
}

// Differ names what differs, secrets among it, and shows none.
func TestDiffer(t *testing.T) {
	a, b := Default(), Default()
	if got := Differ(a, b); len(got) > 0 {
		t.Errorf("two that are the same differ in %q", got)
	}
	b.RTMP.Addr, b.Admin.Token, b.Window.Segments = ":1", "0123456789abcdef", a.Window.Segments+1
	b.ABR.Suffixes = []string{"_720p"}
	got := Differ(a, b)
	slices.Sort(got)
	if want := []string{"abr.suffixes", "admin.token", "rtmp.addr", "window.segments"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
