package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest/client"
)

// command asks a server for something as its operator does.
func (r *regime) command(method, path string, code int) []byte {
	r.t.Helper()
	request, err := http.NewRequest(method, "http://"+r.ports.Addr.Admin.String()+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != code {
		r.t.Fatalf("%s %s: %s, want %d: %s %v", method, path, answer.Status, code, text, err)
	}
	return text
}

// until asks until an answer has a text.
func (r *regime) until(path, text string) {
	r.t.Helper()
	var got []byte
	for range 100 {
		if got = r.command("GET", path, 200); strings.Contains(string(got), text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.t.Fatalf("%s never has %s: %s", path, text, got)
}

// happenings reads the kinds of events, one after another.
func (r *regime) happenings() (next func(kinds ...admin.Kind)) {
	r.t.Helper()
	answer, err := http.Get("http://" + r.ports.Addr.Admin.String() + "/api/v1/events")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { answer.Body.Close() })
	events := make(chan admin.Event, 100)
	go func() {
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var e admin.Event
				if json.Unmarshal([]byte(text), &e) == nil {
					events <- e
				}
			}
		}
	}()
	return func(kinds ...admin.Kind) {
		r.t.Helper()
		for _, want := range kinds {
			select {
			case e := <-events:
				if e.Kind != want {
					r.t.Errorf("%+v happened, want %s", e, want)
				}
			case <-time.After(10 * time.Second):
				r.t.Fatalf("%s didn't happen", want)
			}
		}
	}
}

// An operator ends a stream and keeps its encoder out for a while; the encoder hears
// why, and so do all who look.
func TestOperatorEndsAStream(t *testing.T) {
	r := rule(t, func(c *config.Config) { c.Admin.Addr = "127.0.0.1:0" })
	happens := r.happenings()
	gone := make(chan error, 1)
	go func() { gone <- publishClip(t.Context(), "rtmp://"+r.ports.Addr.RTMP.String()+"/live/cam1") }()
	happens(admin.Published, admin.Ready)
	r.until("/api/v1/sessions?live=true", `"stream":"live/cam1"`)
	r.command("DELETE", "/api/v1/streams/live/cam1?refuse=600", 200)
	if err := <-gone; err == nil {
		t.Error("the encoder heard nothing")
	}
	happens(admin.Unpublished, admin.Ended)
	r.until("/api/v1/streams/live/cam1", `"state":"ended"`)
	r.until("/api/v1/sessions", `"why":"the operator has ended this publication"`)
	if err := r.publish(t, "live/cam1"); err == nil || !strings.Contains(err.Error(), "the operator refuses this stream until") {
		t.Errorf("a refused encoder: %v", err)
	}
	happens(admin.Refused)
	r.until("/api/v1/refusals", `"stream":"live/cam1"`)
	r.command("DELETE", "/api/v1/refused/live/cam1", 204)
	if err := r.publish(t, "live/cam1"); err != nil {
		t.Errorf("an admitted encoder: %v", err)
	}
	r.command("DELETE", "/api/v1/streams/live/cam9", 404)
}

// A session that an operator ends leaves the stream waiting for its encoder.
func TestOperatorEndsASession(t *testing.T) {
	r := rule(t, func(c *config.Config) { c.Admin.Addr = "127.0.0.1:0" })
	happens := r.happenings()
	silent, err := client.Dial(t.Context(), "rtmp://"+r.ports.Addr.RTMP.String()+"/live/cam1", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range clipBeginning(t) {
		if err := silent.WriteTag(tag); err != nil {
			t.Fatal(err)
		}
	}
	happens(admin.Published, admin.Ready)
	time.Sleep(1100 * time.Millisecond) // it sends no more: nothing but the connection can be ended
	var list struct{ Sessions []admin.Session }
	if err := json.Unmarshal(r.command("GET", "/api/v1/sessions", 200), &list); err != nil || len(list.Sessions) != 1 {
		t.Fatal(list, err)
	}
	r.command("DELETE", "/api/v1/sessions/"+list.Sessions[0].ID, 204)
	happens(admin.Unpublished, admin.Lost)
	r.until("/api/v1/streams/live/cam1", `"state":"waiting"`)
	r.command("DELETE", "/api/v1/sessions/"+list.Sessions[0].ID, 404)
	r.command("DELETE", "/api/v1/streams/live/cam1", 200)
	happens(admin.Ended)
}

// A drained server isn't ready and lets nobody in; those who publish go on.
func TestOperatorDrains(t *testing.T) {
	r := rule(t, func(c *config.Config) { c.Admin.Addr = "127.0.0.1:0" })
	r.command("GET", "/readyz", 200)
	go publishClip(t.Context(), "rtmp://"+r.ports.Addr.RTMP.String()+"/live/cam1")
	r.until("/api/v1/streams", `"name":"live/cam1"`)
	r.command("PUT", "/api/v1/drain", 200)
	r.command("GET", "/readyz", 503)
	if err := r.publish(t, "live/cam2"); err == nil || !strings.Contains(err.Error(), "about to stop") {
		t.Errorf("a new encoder: %v", err)
	}
	r.until("/api/v1/sessions?live=true", `"stream":"live/cam1"`)
	r.command("DELETE", "/api/v1/drain", 200)
	r.command("GET", "/readyz", 200)
	if err := r.publish(t, "live/cam2"); err != nil {
		t.Errorf("a new encoder: %v", err)
	}
}

// An operator has the configuration read again, and hears of its faults; what is
// shown of it is what is in force, without secrets.
func TestOperatorReloads(t *testing.T) {
	r := rule(t, func(c *config.Config) { c.Admin.Addr, c.Admin.Token = "127.0.0.1:0", "" })
	r.mu.Lock()
	r.says.Publish.From, r.says.Watch.Secret = []string{"192.0.2.0/24"}, "VERYSECRETSECRET"
	r.mu.Unlock()
	if text := string(r.command("GET", "/api/v1/config", 200)); strings.Contains(text, "192.0.2.0/24") {
		t.Error(text)
	}
	r.command("POST", "/api/v1/reload", 204)
	text := string(r.command("GET", "/api/v1/config", 200))
	if !strings.Contains(text, `"value":"192.0.2.0/24"`) || strings.Contains(text, "VERYSECRET") || !strings.Contains(text, `{"path":"watch.secret","value":"(hidden)","secret":true}`) {
		t.Error(text)
	}
	r.mu.Lock()
	r.err = errors.New("sluice.yaml:3: what is this")
	r.mu.Unlock()
	if text := string(r.command("POST", "/api/v1/reload", 409)); !strings.Contains(text, "sluice.yaml:3: what is this") {
		t.Error(text)
	}
}

// The log says more when an operator wants it to, without a restart.
func TestOperatorSetsTheLogLevel(t *testing.T) {
	defer zerolog.SetGlobalLevel(zerolog.GlobalLevel())
	r := rule(t, func(c *config.Config) { c.Admin.Addr = "127.0.0.1:0" })
	setLevel(config.Log{Level: "warn"})
	r.until("/api/v1/log/level", `"level":"warn"`)
	r.log.read = ""
	if err := r.publish(t, "live/cam1"); err != nil {
		t.Error(err)
	}
	r.command("PUT", "/api/v1/log/level?level=debug", 200)
	if text := r.log.until(t, "how much is logged"); strings.Contains(text, "publishing") {
		t.Errorf("the log at warn: %s", text)
	}
	if err := r.publish(t, "live/cam2"); err != nil {
		t.Error(err)
	}
	r.log.until(t, "publishing")
}

// What an operator says in a body is heard, where it is small and whole; and nobody waits
// for one that isn't.
func TestOperatorSendsABody(t *testing.T) {
	r := rule(t, func(c *config.Config) { c.Admin.Addr = "127.0.0.1:0" })
	for _, c := range []struct {
		body io.Reader
		kind string
		code int
		says string
	}{
		{strings.NewReader(`{"pushed": "live/cam1_720p"}`), "application/json", 404, "live/cam1_720p: nobody publishes"},
		{strings.NewReader(`{"pushed": 5}`), "application/json", 422, "body.pushed"},
		{strings.NewReader(`{}`), "text/plain", 415, "JSON"},
		{strings.NewReader(strings.Repeat(" ", 5000)), "application/json", 413, ""},
		{io.MultiReader(strings.NewReader(`{}`)), "application/json", 413, ""}, // chunked
	} {
		answer, err := http.Post("http://"+r.ports.Addr.Admin.String()+"/api/v1/streams/live/cam1/switch", c.kind, c.body)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != c.code || !strings.Contains(string(text), c.says) {
			t.Errorf("%d %s, want %d %s", answer.StatusCode, text, c.code, c.says)
		}
	}
}

// However many listen to what happens, there is room for what watches the server: a probe
// that isn't answered has it started anew.
func TestListenersLeaveRoom(t *testing.T) {
	r := rule(t, func(c *config.Config) { c.Admin.Addr = "127.0.0.1:0" })
	where := "http://" + r.ports.Addr.Admin.String()
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	listen := 0
	for range 40 {
		answer, err := client.Get(where + "/api/v1/events")
		if err != nil {
			break
		}
		defer answer.Body.Close()
		if answer.StatusCode == 200 {
			listen++
		}
	}
	for _, path := range []string{"/healthz", "/metrics"} {
		probe := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		if answer, err := probe.Get(where + path); err != nil {
			t.Errorf("%s, while %d listen: %v", path, listen, err)
		} else {
			answer.Body.Close()
		}
	}
	if listen < 8 {
		t.Errorf("only %d may listen", listen)
	}
}
