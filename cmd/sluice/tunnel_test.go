package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/config"
)

// knock opens a session for an address that a proxy names.
func (f *fort) knock(t *testing.T, from string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+f.ports.Addr.HTTP.String()+"/open/1", strings.NewReader("\x00"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-For", from)
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b)
}

// Sessions of a tunnel have the limits of encoders' connections, by the address
// that a trusted proxy names, and are counted with them.
func TestTunnel(t *testing.T) {
	f := hold(t, func(c *config.Config) {
		c.RTMP.Tunnel = true
		c.RTMP.MaxConnections, c.RTMP.MaxPerAddress = 3, 2
		c.HTTP.ForwardedFrom = []string{"loopback"}
	})
	for _, ask := range []struct {
		from string
		want int
	}{
		{"192.0.2.1", 200}, {"192.0.2.1", 200}, {"192.0.2.1", 503}, {"192.0.2.2", 200}, {"192.0.2.3", 503},
	} {
		if status, body := f.knock(t, ask.from); status != ask.want {
			t.Errorf("%s: %d, want %d: %s", ask.from, status, ask.want, body)
		}
	}
	log := f.log.String()
	for _, want := range []string{`"remote":"192.0.2.1","what":"connections_per_address","listener":"rtmpt"`, `"what":"connections","listener":"rtmpt"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	// What is beside the tunnel is what it was.
	if r := get(t, f.dial(t, f.ports.Addr.HTTP), "/"); r.StatusCode != http.StatusOK {
		t.Error(r.Status)
	}
}

// A proxy that nobody has named opens nothing: who may publish goes by addresses.
func TestTunnelBehindUnknownProxy(t *testing.T) {
	f := hold(t, func(c *config.Config) { c.RTMP.Tunnel = true })
	if status, body := f.knock(t, "192.0.2.1"); status != http.StatusBadRequest || !strings.Contains(body, "http.forwarded_from") {
		t.Errorf("%d: %s", status, body)
	}
}

// Off, there is none: a body is refused as everywhere.
func TestNoTunnel(t *testing.T) {
	f := hold(t, nil)
	if status, _ := f.knock(t, "192.0.2.1"); status != http.StatusRequestEntityTooLarge {
		t.Error(status)
	}
	if f.ports.Addr.RTMP == nil || len(f.ports.RTMP) != 1 {
		t.Errorf("%d listeners of encoders", len(f.ports.RTMP))
	}
}
