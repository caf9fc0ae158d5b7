package main

import (
	"bufio"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
)

// sayExposure tells who may publish where nothing but the network says so. An
// address tells nothing where something in front puts its own in its place, and
// that is a private one: then the private network is the internet.
func sayExposure(log zerolog.Logger, c config.Config, container string) {
	from := publishFrom(c.Publish)
	private := slices.Contains(from, "private")
	if c.RTMP.Tunnel && c.Publish.Open() && (private || slices.Contains(from, "loopback")) && len(c.HTTP.ForwardedFrom)+len(c.HTTP.ProxyProtocolFrom) == 0 {
		log.Warn().Msg("rtmp.tunnel is on, and whoever comes from a private network may publish: behind an HTTP proxy here or on such a network, " +
			"that is everybody. Name it in http.forwarded_from, or set publish.keys, users, jwt or webhook")
	}
	if !c.Publish.Open() || !private || !reachable(c.RTMP.Addr) && !reachable(c.RTMP.TLSAddr) {
		return
	}
	if container == "" {
		log.Info().Msg("whoever comes from a private network may publish: behind a balancer that hides addresses, that is everybody. " +
			"publish.keys, users, jwt or webhook say who may")
		return
	}
	log.Warn().Str("container", container).Msg("whoever comes from a private network may publish, and this is a container: " +
		"where its bridge hides addresses (rootless containers, Docker Desktop, a balancer), that is the internet. " +
		"Set publish.keys, users, jwt or webhook, or publish the port on the host's loopback alone")
}

// reachable tells whether others than this machine come to a listener.
func reachable(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "localhost" {
		return false
	}
	a, err := netip.ParseAddr(host)
	return err != nil || !a.Unmap().IsLoopback()
}

// inContainer returns by what it looks as if this were a container, or "". root
// is the machine's file system.
func inContainer(root fs.FS, env func(string) string) string {
	for _, name := range []string{"container", "KUBERNETES_SERVICE_HOST"} {
		if env(name) != "" {
			return "$" + name
		}
	}
	for _, name := range []string{".dockerenv", "run/.containerenv"} {
		if _, err := fs.Stat(root, name); err == nil {
			return "/" + name
		}
	}
	if b, err := fs.ReadFile(root, "proc/self/cgroup"); err == nil && containerGroup.Match(b) {
		return "/proc/self/cgroup"
	}
	if rootIsOverlay(root) {
		return "/proc/self/mountinfo"
	}
	return ""
}

var containerGroup = regexp.MustCompile(`docker|kubepods|libpod|containerd|/lxc`)

// rootIsOverlay tells whether "/" is put together of layers, as images are (proc(5):
// the fifth field is where, the one behind " - " what is mounted there).
func rootIsOverlay(root fs.FS) bool {
	f, err := root.Open("proc/self/mountinfo")
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		where, what, _ := strings.Cut(lines.Text(), " - ")
		if fields := strings.Fields(where); len(fields) > 4 && fields[4] == "/" && strings.HasPrefix(what, "overlay ") {
			return true
		}
	}
	return false
}

func thisContainer() string { return inContainer(os.DirFS("/"), os.Getenv) }
