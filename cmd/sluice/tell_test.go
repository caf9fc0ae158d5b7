package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/httpserve/admin"
)

// deaf is a web service that hears all it is told.
func deaf(t *testing.T) (url string, heard chan admin.Event) {
	heard = make(chan admin.Event, 100)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var says struct{ Data admin.Event }
		if err := json.Unmarshal(body, &says); err != nil || r.Header.Get("webhook-signature") == "" {
			t.Errorf("%s: %v", body, err)
		}
		heard <- says.Data
	}))
	t.Cleanup(s.Close)
	return s.URL + "/path?key=hush", heard
}

const hookSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

// A web service is told what happens to streams, also those that end because the server
// does; the operator sees how that goes.
func TestHooksAreTold(t *testing.T) {
	url, heard := deaf(t)
	c := config.Default()
	c.RTMP.Addr, c.RTMP.TLSAddr, c.HTTP.Addr, c.Admin.Addr = "127.0.0.1:0", "", "127.0.0.1:0", "127.0.0.1:0"
	c.Hooks.URLs, c.Hooks.Secrets = []string{url}, []string{hookSecret}
	a, err := listen(c, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- a.run(ctx) }()
	go publishClip(t.Context(), "rtmp://"+a.ports.Addr.RTMP.String()+"/live/cam1")
	for _, want := range []admin.Kind{admin.Published, admin.Ready} {
		if e := <-heard; e.Kind != want || e.Stream != "live/cam1" || e.Kind == admin.Published && (e.Remote == "" || e.Session == "" || e.Pushed != e.Stream) {
			t.Errorf("%+v, want %s", e, want)
		}
	}
	r := &regime{station: &station{a, nil}, t: t}
	r.until("/api/v1/hooks", `"waiting":0,"delivered":2,"failed":0,"dropped":0`)
	r.until("/metrics", `sluice_hook_attempts_total{result="delivered"} 2`)
	if text := string(r.command("GET", "/api/v1/hooks", 200)) + string(r.command("GET", "/api/v1/config", 200)); strings.Contains(text, "hush") || strings.Contains(text, hookSecret[6:]) {
		t.Error(text)
	}
	stop()
	if err := <-over; err != nil {
		t.Error(err)
	}
	close(heard)
	var kinds []admin.Kind
	for e := range heard {
		kinds = append(kinds, e.Kind)
	}
	if !slices.Equal(kinds, []admin.Kind{admin.Unpublished, admin.Ended}) {
		t.Error(kinds)
	}
}

// Whom to tell, and what, is read again while the server runs.
func TestHooksAreReplaced(t *testing.T) {
	first, heard := deaf(t)
	second, other := deaf(t)
	r := rule(t, func(c *config.Config) {
		c.Admin.Addr, c.Hooks.URLs, c.Hooks.Secrets = "127.0.0.1:0", []string{first}, []string{hookSecret}
	})
	if err := r.publish(t, "live/cam1"); err != nil {
		t.Fatal(err)
	}
	if e := <-heard; e.Kind != admin.Published {
		t.Errorf("%+v", e)
	}
	r.decree(readAgain, func(c *config.Config) { c.Hooks.URLs, c.Hooks.Events = []string{second}, []string{"reloaded"} })
	if text := string(r.command("GET", "/api/v1/config", 200)); !strings.Contains(text, `"path":"hooks.events","value":"reloaded"`) {
		t.Error(text)
	}
	select {
	case e := <-other:
		if e.Kind != admin.Reloaded {
			t.Errorf("%+v", e)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing is told")
	}
}
