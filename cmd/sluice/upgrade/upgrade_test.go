//go:build linux

package upgrade

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house hands over what it is told.
type house struct {
	busy  bool
	taken chan Claim
}

func (house) Inheritance() Inheritance             { return Inheritance{[]byte("secret"), time.Second} }
func (house) Ready()                               {}
func (house) Failed(string)                        {}
func (house) Stop()                                {}
func (h house) Taken(c Claim) []byte               { h.taken <- c; return []byte("more") }
func (house) Offered(context.Context, Claim) error { return errors.New("no") }
func (house) Play(asked []byte) (func(context.Context, io.Writer) error, error) {
	if string(asked) == "nothing" {
		return nil, ErrAbsent
	}
	return func(_ context.Context, w io.Writer) error {
		_, _ = w.Write(asked)
		w.(http.Flusher).Flush()
		if string(asked) == "cut off" {
			return errors.New("cut off")
		}
		return nil
	}, nil
}
func (h house) HandOver(_ context.Context, c Claim) (func(io.Writer) error, error) {
	if h.busy {
		return nil, ErrBusy
	}
	return func(w io.Writer) error { _, err := io.WriteString(w, "the window of "+c.Stream); return err }, nil
}

// ends are the two ends of a wire.
func ends(t *testing.T) (a, b *Neighbour) {
	t.Helper()
	w, fd, err := newWire()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := connOf(fd)
	if err != nil {
		t.Fatal(err)
	}
	return NewNeighbour(w), NewNeighbour(NewWire(nc))
}

// Both processes ask each other, and viewers by them. When one is gone, the other hears it.
func TestNeighbours(t *testing.T) {
	from, to := ends(t)
	h := house{taken: make(chan Claim, 1)}
	viewers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/live/cam1/v1.m3u8" {
			http.Error(w, "no such stream", http.StatusNotFound)
			return
		}
		if from.Forward(w, r) || to.Forward(w, r) {
			t.Error("a request goes back to where it came from")
		}
		w.Header().Set("Vary", "there")
		io.WriteString(w, r.RemoteAddr+r.Header.Get("X-Forwarded-For"))
	})
	done := make(chan struct{}, 2)
	go func() { from.Serve(h, viewers, zerolog.Nop()); done <- struct{}{} }()
	go func() { to.Serve(h, viewers, zerolog.Nop()); done <- struct{}{} }()
	ctx := t.Context()
	if got, err := to.Begin(ctx); err != nil || string(got.Secret) != "secret" || got.Clock != time.Second {
		t.Errorf("%+v, %v", got, err)
	}
	for asked, whole := range map[string]bool{"live/cam1": true, "cut off": false} {
		body, err := to.Play(ctx, []byte(asked))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(body); whole && string(b) != asked || (err == nil) != whole {
			t.Errorf("%s: %q, %v", asked, b, err)
		}
		body.Close()
	}
	if _, err := to.Play(ctx, []byte("nothing")); !errors.Is(err, ErrAbsent) {
		t.Errorf("what the other process hasn't: %v", err)
	}
	if more, err := to.Claim(ctx, "live/cam1", "live/cam1_720p", func(r io.Reader) error {
		b, err := io.ReadAll(r)
		if string(b) != "the window of live/cam1" {
			t.Errorf("%q", b)
		}
		return err
	}); err != nil || string(more) != "more" {
		t.Error(string(more), err)
	}
	if c := <-h.taken; c != (Claim{"live/cam1", "live/cam1_720p"}) {
		t.Errorf("%+v", c)
	}
	// What could not be taken stays.
	if _, err := to.Claim(ctx, "live/cam1", "live/cam1", func(io.Reader) error { return errors.New("no room") }); err == nil || len(h.taken) > 0 {
		t.Errorf("%v, and %d are given away", err, len(h.taken))
	}
	if err := from.Offer(ctx, Claim{"live/cam1", "live/cam1"}); err == nil {
		t.Error("what was refused is taken")
	}
	for path, want := range map[string]bool{"/live/cam1/v1.m3u8": true, "/live/cam2/v1.m3u8": false} {
		r := httptest.NewRequest("GET", "http://sluice"+path, nil)
		r.RemoteAddr = "192.0.2.7:99"
		r.Header.Set("X-Forwarded-For", "203.0.113.1")
		w := httptest.NewRecorder()
		w.Header().Set("Vary", "here")
		if got := to.Forward(w, r); got != want {
			t.Errorf("%s: answered %v", path, got)
		}
		if want && (w.Body.String() != "192.0.2.7:99" || !slices.Equal(w.Header()["Vary"], []string{"there"})) {
			t.Errorf("%s: %q, %v", path, w.Body, w.Header())
		}
		if !want && (w.Body.Len() > 0 || w.Header().Get("Vary") != "here") {
			t.Errorf("%s is unanswered, and has %q, %v", path, w.Body, w.Header())
		}
	}
	from.wire.Close()
	<-to.Gone()
	if to.Forward(httptest.NewRecorder(), httptest.NewRequest("GET", "http://sluice/live/cam1/v1.m3u8", nil)) {
		t.Error("somebody answers who is gone")
	}
	<-done
	<-done
	from.client.CloseIdleConnections()
	to.client.CloseIdleConnections()
}

// A stream that is live is not taken from its encoder.
func TestBusy(t *testing.T) {
	from, to := ends(t)
	done := make(chan struct{})
	go func() { from.Serve(house{busy: true}, http.NotFoundHandler(), zerolog.Nop()); close(done) }()
	_, err := to.Claim(t.Context(), "live/cam1", "live/cam1", func(io.Reader) error { t.Error("it is"); return nil })
	if !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	to.wire.Close()
	<-done
	to.client.CloseIdleConnections()
}

// What a process was started with is not for the next one.
func TestEnvironment(t *testing.T) {
	got := environment([]string{"LISTEN_PID=3", "LISTEN_FDS=1", "LISTEN_FDNAMES=rtmp", "WATCHDOG_PID=3", "WATCHDOG_USEC=9", "HOME=/"}, 7, []string{"http", SocketName})
	if want := "WATCHDOG_USEC=9 HOME=/ LISTEN_PPID=7 LISTEN_FDS=2 LISTEN_FDNAMES=http:upgrade"; strings.Join(got, " ") != want {
		t.Errorf("%q", got)
	}
}

// A program that can't be started is an error, and nothing is left of it; one that ends is
// told of with what it has said.
func TestStart(t *testing.T) {
	if _, err := Start("/nowhere/sluice", nil); err == nil || !strings.Contains(err.Error(), "/nowhere/sluice") {
		t.Error(err)
	}
	s, err := Start("/bin/false", nil)
	if err != nil {
		t.Skip(err)
	}
	err = s.Await(t.Context(), nil, func() string { return "no room" })
	if err == nil || !strings.Contains(err.Error(), "exit status 1: no room") {
		t.Error(err)
	}
	<-s.Gone()
}
