package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/gate"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/ingest/client"
)

// book is a log that can be read while it is written.
type book struct {
	lines chan string
	read  string
}

func (b *book) Write(p []byte) (int, error) {
	b.lines <- string(p)
	return len(p), nil
}

// until reads on, if need be, until a line has text in it, and returns all that
// was read so far.
func (b *book) until(t *testing.T, text string) string {
	t.Helper()
	late := time.After(10 * time.Second)
	for !strings.Contains(b.read, text) {
		select {
		case line := <-b.lines:
			b.read += line
		case <-late:
			t.Fatalf("the log has no %s:\n%s", text, b.read)
		}
	}
	return b.read
}

// station is a server with a configuration of its own, its log at the most
// talkative.
type station struct {
	*app
	log *book
}

func serveFor(t *testing.T, publish func(*config.Publish)) *station {
	t.Helper()
	c := config.Default()
	c.RTMP.Addr, c.RTMP.TLSAddr, c.HTTP.Addr, c.Admin.Addr = "127.0.0.1:0", "", "127.0.0.1:0", ""
	publish(&c.Publish)
	log := &book{lines: make(chan string, 1000)}
	a, err := listen(c, zerolog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &station{a, log}
}

// publish says hello and goodbye as an encoder.
func (s *station) publish(t *testing.T, path string) error {
	p, err := client.Dial(t.Context(), "rtmp://"+s.ports.Addr.RTMP.String()+"/"+path, nil)
	if err != nil {
		return err
	}
	return p.Close()
}

// Whoever has the key publishes under the public name, and the key is in no
// log and in no answer, whether it is right or nearly so.
func TestStreamKey(t *testing.T) {
	const secret = "VERYSECRETKEY"
	s := serveFor(t, func(p *config.Publish) { p.Keys = map[string]string{"cam1": access.HashKey(secret).String()} })
	if err := s.publish(t, "live/"+secret); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, wrong := range []string{"live/" + secret + "X", "live/cam1"} {
		err := s.publish(t, wrong)
		if err == nil || !strings.Contains(err.Error(), "NetStream.Publish.Denied: access denied: the stream key is not one of publish.keys") {
			t.Errorf("%s: %v", wrong, err)
		}
		if text := strings.ReplaceAll(fmt.Sprint(err), wrong, ""); strings.Contains(text, secret) { // the client names its own URL
			t.Errorf("told: %s", text)
		}
	}
	if took := time.Since(began); took < 2*gate.FailurePause {
		t.Errorf("two failures in %v", took)
	}
	counted := httptest.NewRecorder()
	s.metrics.Handler().ServeHTTP(counted, httptest.NewRequest("GET", "/metrics", nil))
	if !strings.Contains(counted.Body.String(), `sluice_refused_total{what="publish"} 2`) {
		t.Error("two refusals are not counted as two")
	}
	log := s.log.until(t, "not one of publish.keys")
	if strings.Contains(log, secret) || !strings.Contains(log, `"stream":"live/cam1"`) || !strings.Contains(log, `"by":"key"`) {
		t.Errorf("the log:\n%s", log)
	}
}

// The dialogue of an encoder that logs in, and what the log tells of it.
func TestLoginDialogue(t *testing.T) {
	s := serveFor(t, func(p *config.Publish) { p.Users = map[string]string{"anna": "PASSWORD"} })
	told := func(query string) string {
		err := s.publish(t, "live"+query+"/cam1")
		_, text, _ := strings.Cut(fmt.Sprint(err), "refused: ")
		return text
	}
	if d := told(""); d != "NetConnection.Connect.Rejected: code=403 need auth; authmod=adobe" {
		t.Error(d)
	}
	d := told("%3Fauthmod=adobe&user=anna")
	if !regexp.MustCompile(`^NetConnection\.Connect\.Rejected: \[ AccessManager\.Reject \] : \[ authmod=adobe \] : \?reason=needauth&user=anna&salt=\w+&challenge=\w+&opaque=\w+$`).MatchString(d) {
		t.Error(d)
	}
	if d := told("%3Fauthmod=adobe&user=anna&challenge=x&response=y&opaque=z"); !strings.HasSuffix(d, "?reason=authfailed") {
		t.Error(d)
	}
	if err := s.publish(t, "live%3Fuser=anna&pass=PASSWORD/cam1"); err != nil {
		t.Error(err)
	}
	s.log.until(t, "an answer to a challenge that is not open")
	log := s.log.until(t, `"by":"user anna"`)
	if strings.Contains(log, "PASSWORD") || strings.Contains(log, "opaque") {
		t.Errorf("the log:\n%s", log)
	}
}

// A webhook is asked once, may give a stream another name, and hears of its
// end. What it is given is in no log.
func TestPublishWebhook(t *testing.T) {
	asked := make(chan string, 20)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- string(body)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.Contains(string(body), "live/no"):
			w.WriteHeader(http.StatusForbidden)
		case strings.Contains(string(body), "live/down"):
			w.WriteHeader(http.StatusBadGateway)
		case strings.Contains(string(body), "live/odd"):
			io.WriteString(w, `{"path":"live/../../x"}`)
		default:
			io.WriteString(w, `{"path":"tv/one"}`)
		}
	}))
	defer hook.Close()
	s := serveFor(t, func(p *config.Publish) { p.Webhook.URL, p.Webhook.NotifyDone = hook.URL, true })
	if err := s.publish(t, "live/secret?token=SECRET"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"action":"publish"`, `"action":"publish_done"`} {
		select {
		case body := <-asked:
			if !strings.Contains(body, want) {
				t.Errorf("asked %s, want %s", body, want)
			}
			if done := strings.Contains(want, "done"); done != strings.Contains(body, "tv/one") || done == strings.Contains(body, "SECRET") {
				t.Errorf("%s: %s", want, body)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("not asked: %s", want)
		}
	}
	for _, c := range []struct{ name, want string }{
		{"no", "Denied: access denied: the webhook says no (403)"},
		{"odd", "Rejected: "},
		{"down", "Rejected: access could not be checked: the webhook answered 502"},
	} {
		if err := s.publish(t, "live/"+c.name+"?token=SECRET"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if n := len(asked); n != 3 {
		t.Errorf("asked %d times for three", n)
	}
	if log := s.log.until(t, "webhook answered 502"); strings.Contains(log, "SECRET") || !strings.Contains(log, `"stream":"tv/one"`) {
		t.Errorf("the log:\n%s", log)
	}
}

func TestKeyCommand(t *testing.T) {
	find := func(args []string, patterns ...string) (found []string) {
		var out bytes.Buffer
		if err := key(args, &out); err != nil {
			t.Fatal(err)
		}
		for _, p := range patterns {
			m := regexp.MustCompile(p).FindStringSubmatch(out.String())
			if m == nil {
				t.Fatalf("no %s in\n%s", p, out.String())
			}
			found = append(found, m[1])
		}
		return found
	}
	made := find([]string{"cam1"}, `Stream key +(\S+)`, `cam1: (\S+)`)
	s := serveFor(t, func(p *config.Publish) { p.Keys = map[string]string{"cam1": made[1]} })
	if err := s.publish(t, "live/"+made[0]); err != nil {
		t.Error(err)
	}
	made = find([]string{"-user", "anna"}, `Password +(\S+)`, `anna: "(\S+)"`)
	s = serveFor(t, func(p *config.Publish) { p.Users = map[string]string{"anna": made[1]} })
	if err := s.publish(t, "live%3Fuser=anna&pass="+made[0]+"/cam1"); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{nil, {"a", "b"}, {"-x", "a"}, {"-user", "a b"}} {
		if err := key(args, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

// A token gets in where it is for, with the signature that it should have.
func TestPublishToken(t *testing.T) {
	const secret = "a secret of thirty-two bytes, yes"
	s := serveFor(t, func(p *config.Publish) { p.JWT.Secret = secret })
	part := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	token := func(secret string) string {
		claims := fmt.Sprintf(`{"exp":%d,"action":"publish","path":"live/cam1"}`, time.Now().Add(time.Minute).Unix())
		signed := part([]byte(`{"alg":"HS256"}`)) + "." + part([]byte(claims))
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(signed))
		return signed + "." + part(mac.Sum(nil))
	}
	if err := s.publish(t, "live/cam1?token="+token(secret)); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{
		"live/cam2?token=" + token(secret): "the token is not for publishing this stream",
		"live/cam1?token=" + token("x"):    "signature is wrong",
		"live/cam1":                        "no token given",
	} {
		if err := s.publish(t, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
	if log := s.log.until(t, "no token given"); strings.Contains(log, "eyJ") {
		t.Errorf("the log:\n%s", log)
	}
}
