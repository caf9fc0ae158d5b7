package client

import (
	"strings"
	"testing"
)

// Where a server asks to go is an app at a server: the name, and who logs in, stay.
func TestElsewhere(t *testing.T) {
	here := Address{TLS: true, Host: "a", App: "live", Name: "KEY?x=y", User: "anna", Password: "PASS"}
	to := func(host, app string) Address {
		return Address{TLS: true, Host: host, App: app, Name: here.Name, User: here.User, Password: here.Password}
	}
	for text, want := range map[string]Address{
		"": here, "rtmps://b/live": to("b", "live"), "rtmps://b:9/live/": to("b:9", "live"),
		"rtmps://b/live/inst?t=1/2": to("b", "live/inst?t=1/2"),
	} {
		if got, err := here.Elsewhere(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"rtmp://b/live", "http://b/live", "rtmps://b", "rtmps://b/", "rtmps:///live", "rtmps://eve:SECRET@b/live", "live", "\x00SECRET",
		"rtmps://b/live/" + strings.Repeat("SECRET", 200),
	} {
		got, err := here.Elsewhere(text)
		if err == nil || got != here || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	plain := here
	plain.TLS = false
	if got, err := plain.Elsewhere("rtmps://b/live"); err != nil || !got.TLS {
		t.Errorf("from rtmp to rtmps: %+v, %v", got, err)
	}
}
