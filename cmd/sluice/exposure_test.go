package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/access"
)

// Where addresses may be hidden, and nothing but them says who may publish, the
// log says so at the start.
func TestExposureIsSaid(t *testing.T) {
	for _, c := range []struct {
		name      string
		change    func(*config.Config)
		container string
		want      string // its level
	}{
		{"as it comes", func(*config.Config) {}, "", "info"},
		{"as it comes, in a container", func(*config.Config) {}, "/.dockerenv", "warn"},
		{"private, in so many words", func(c *config.Config) { c.Publish.From = []string{"192.0.2.0/24", "private"} }, "/.dockerenv", "warn"},
		{"RTMPS alone", func(c *config.Config) { c.RTMP.Addr, c.RTMP.TLSAddr = "", ":1936" }, "/.dockerenv", "warn"},
		{"keys", func(c *config.Config) { c.Publish.Keys = map[string]string{"cam1": access.HashKey("k").String()} }, "/.dockerenv", ""},
		{"users", func(c *config.Config) { c.Publish.Users = map[string]string{"anna": "pw"} }, "/.dockerenv", ""},
		{"private, with a webhook", func(c *config.Config) {
			c.Publish.From, c.Publish.Webhook.URL = []string{"private"}, "https://x.example/"
		}, "/.dockerenv", ""},
		{"this machine", func(c *config.Config) { c.Publish.From = []string{"loopback"} }, "/.dockerenv", ""},
		{"one network", func(c *config.Config) { c.Publish.From = []string{"192.0.2.0/24"} }, "/.dockerenv", ""},
		{"all of the internet, as was said", func(c *config.Config) { c.Publish.From = []string{"any"} }, "/.dockerenv", ""},
		{"on loopback", func(c *config.Config) { c.RTMP.Addr, c.RTMP.TLSAddr = "127.0.0.1:1935", "[::1]:1936" }, "/.dockerenv", ""},
	} {
		cfg := config.Default()
		c.change(&cfg)
		var log bytes.Buffer
		sayExposure(zerolog.New(&log), cfg, c.container)
		if text := log.String(); c.want == "" && text != "" || c.want != "" && !strings.Contains(text, `"level":"`+c.want+`"`) ||
			c.want == "warn" && (!strings.Contains(text, "that is the internet") || !strings.Contains(text, "publish.keys")) {
			t.Errorf("%s: %q, want level %q", c.name, text, c.want)
		}
	}
}

// A tunnel lets in by HTTP's proxies, too, wherever the other listeners are.
func TestTunnelExposureIsSaid(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*config.Config)
		want   bool
	}{
		{"off", func(c *config.Config) { c.RTMP.Tunnel = false }, false},
		{"on", func(*config.Config) {}, true},
		{"this machine alone", func(c *config.Config) { c.Publish.From = []string{"loopback"} }, true},
		{"one network", func(c *config.Config) { c.Publish.From = []string{"192.0.2.0/24"} }, false},
		{"keys", func(c *config.Config) { c.Publish.Keys = map[string]string{"cam1": access.HashKey("k").String()} }, false},
		{"a proxy by name", func(c *config.Config) { c.HTTP.ForwardedFrom = []string{"loopback"} }, false},
		{"a balancer by name", func(c *config.Config) { c.HTTP.ProxyProtocolFrom = []string{"loopback"} }, false},
	} {
		cfg := config.Default()
		cfg.RTMP.Addr, cfg.RTMP.TLSAddr, cfg.RTMP.Tunnel = "127.0.0.1:1935", "", true
		c.change(&cfg)
		var log bytes.Buffer
		sayExposure(zerolog.New(&log), cfg, "")
		if said := strings.Contains(log.String(), "http.forwarded_from"); said != c.want {
			t.Errorf("%s: %s", c.name, log.String())
		}
	}
}

func TestInContainer(t *testing.T) {
	file := func(name, text string) fstest.MapFS { return fstest.MapFS{name: {Data: []byte(text)}} }
	for _, c := range []struct {
		name string
		root fstest.MapFS
		env  string
		want string
	}{
		{"a machine", file("proc/self/cgroup", "0::/user.slice/user-1000.slice/session-2.scope\n"), "", ""},
		{"a service", file("proc/self/cgroup", "0::/system.slice/sluice.service\n"), "", ""},
		{"nothing", fstest.MapFS{}, "", ""},
		{"Docker", file(".dockerenv", ""), "", "/.dockerenv"},
		{"Podman", file("run/.containerenv", ""), "", "/run/.containerenv"},
		{"Podman, by its variable", fstest.MapFS{}, "container", "$container"},
		{"Kubernetes", fstest.MapFS{}, "KUBERNETES_SERVICE_HOST", "$KUBERNETES_SERVICE_HOST"},
		{"a control group of Docker's", file("proc/self/cgroup", "12:memory:/docker/0123456789abcdef\n"), "", "/proc/self/cgroup"},
		{"one of Kubernetes'", file("proc/self/cgroup", "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope\n"), "", "/proc/self/cgroup"},
		{"layers", file("proc/self/mountinfo", "1 0 0:1 / /x rw - tmpfs x rw\n700 600 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/l\n"), "", "/proc/self/mountinfo"},
		{"layers elsewhere", file("proc/self/mountinfo", "25 1 8:1 / / rw - ext4 /dev/sda1 rw\n700 25 0:50 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw\n"), "", ""},
	} {
		env := func(name string) string {
			if name == c.env {
				return "there"
			}
			return ""
		}
		if got := inContainer(c.root, env); got != c.want {
			t.Errorf("%s: by %q, want %q", c.name, got, c.want)
		}
	}
}
