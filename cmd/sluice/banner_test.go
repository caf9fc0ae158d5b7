package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
)

// What is printed at the start names the ports that are open, and none that isn't.
func TestBanner(t *testing.T) {
	c := config.Default()
	c.RTMP.Addr, c.RTMP.TLSAddr, c.HTTP.Addr, c.Admin.Addr = "127.0.0.1:0", "", "127.0.0.1:0", "127.0.0.1:0"
	a, err := listen(c, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer a.ports.Close()
	var b strings.Builder
	a.banner(&b)
	for _, want := range []string{
		fmt.Sprintf("Server rtmp://%v/live   Stream key cam1", a.ports.Addr.RTMP),
		fmt.Sprintf("http://%v/live/cam1/", a.ports.Addr.HTTP),
		fmt.Sprintf("Manage    http://%v/", a.ports.Addr.Admin),
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("nothing says %s:\n%s", want, &b)
		}
	}
	if strings.Contains(b.String(), "rtmps") || strings.Contains(b.String(), "https") {
		t.Errorf("TLS is off:\n%s", &b)
	}
}
