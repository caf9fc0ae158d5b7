package systemd

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// env is an environment for tests.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// What a manager hears is in the words of sd_notify(3).
func TestManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m, err := NewManager(env("NOTIFY_SOCKET", path, "WATCHDOG_USEC", "30000000"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Watchdog() != 30*time.Second {
		t.Errorf("a watchdog of %v", m.Watchdog())
	}
	heard := func() string {
		b := make([]byte, 4096)
		l.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	for _, c := range []struct {
		say  func()
		want string
	}{
		{func() { m.Ready("2 live\nstreams") }, "READY=1\nSTATUS=2 live streams"},
		{func() { m.Stopping(30*time.Second, "bye") }, "STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000\nSTATUS=bye"},
		{func() { m.Status("x") }, "STATUS=x"},
		{m.Alive, "WATCHDOG=1"},
		{func() { m.Successor(7) }, "MAINPID=7"},
	} {
		c.say()
		if got := heard(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	m.Status("nobody asks any more") // another process is the service
	m.Again()
	if got := heard(); got != "MAINPID="+itoa(os.Getpid()) {
		t.Errorf("%q", got)
	}
	m.Reloading()
	if got := heard(); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") || strings.Contains(got, "USEC=0\n") {
		t.Errorf("%q", got)
	}
}

// Who has no manager tells nobody anything; one that can't be reached is a fault, and a
// watchdog that waits for another process is none of ours.
func TestNoManager(t *testing.T) {
	m, err := NewManager(env())
	if m != nil || err != nil {
		t.Fatal(m, err)
	}
	m.Ready("")
	m.Alive()
	if m.Watchdog() != 0 {
		t.Error("a watchdog of nobody")
	}
	if _, err := NewManager(env("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))); err == nil {
		t.Error("a socket that isn't there is taken")
	}
	for _, e := range []func(string) string{
		env("WATCHDOG_USEC", "30000000", "WATCHDOG_PID", "1"), env("WATCHDOG_USEC", "-1"), env("WATCHDOG_USEC", "many"), env(),
	} {
		if d := watchdog(e); d != 0 {
			t.Errorf("a watchdog of %v", d)
		}
	}
}

// file is a descriptor of a socket, as it is handed over.
func file(t *testing.T, name string, s interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := s.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return os.NewFile(dup(t, f), name)
}

func TestSockets(t *testing.T) {
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	unix, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()

	s, err := Take([]*os.File{file(t, "http", tcp), file(t, "https", udp)}...)
	if err != nil {
		t.Fatal(err)
	}
	if left := s.Left(); len(left) != 2 {
		t.Errorf("left: %q", left)
	}
	l, pc := s.TCP("http"), s.UDP("http3")
	if l == nil || pc == nil || len(s.Left()) > 0 || s.TCP("http") != nil || s.UDP("http3") != nil {
		t.Fatalf("%v, %v, and %q are left", l, pc, s.Left())
	}
	defer l.Close()
	defer pc.Close()
	if l.Addr().String() != tcp.Addr().String() || pc.LocalAddr().String() != udp.LocalAddr().String() {
		t.Error("they are others")
	}
	nc, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if c, err := l.Accept(); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}

	for _, c := range []struct {
		files []*os.File
		want  string
	}{
		{[]*os.File{file(t, "http", tcp), file(t, "http", tcp)}, "two of that name"},
		{[]*os.File{file(t, "admin", unix)}, "not of TCP"},
		{[]*os.File{os.NewFile(dup(t, os.Stdin), "http")}, "neither listens"},
	} {
		if _, err := Take(c.files...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// Sockets of other processes are not ours, whatever the environment has.
func TestInheritedByOthers(t *testing.T) {
	for _, e := range []func(string) string{
		env(), env("LISTEN_FDS", "2"), env("LISTEN_FDS", "2", "LISTEN_PID", "1"), env("LISTEN_FDS", "2", "LISTEN_PPID", "1"),
	} {
		s, err := Inherited(e)
		if err != nil || s.TCP("http") != nil || len(s.Left()) > 0 {
			t.Errorf("%+v, %v", s, err)
		}
		s.Close()
	}
	pid := itoa(os.Getpid())
	for _, n := range []string{"-1", "65", "x"} {
		if _, err := Inherited(env("LISTEN_FDS", n, "LISTEN_PID", pid)); err == nil {
			t.Errorf("LISTEN_FDS=%s is taken", n)
		}
	}
}
