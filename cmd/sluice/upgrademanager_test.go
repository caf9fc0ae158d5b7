package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Whoever has started the program hears which process is the service after an upgrade, that
// it is ready, and from then on of that one alone: that the old one ends is no end. While a
// process stands still, the watchdog hears nothing.
func TestManagerHearsOfUpgrade(t *testing.T) {
	m := newManager(t)
	t.Setenv("NOTIFY_SOCKET", m.path)
	t.Setenv("WATCHDOG_USEC", "900000")
	p := startProgram(t)
	m.until("READY=1")
	m.until("WATCHDOG=1")
	if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	said := m.until("MAINPID=")
	p.until(t, "this process has no stream left", 10*time.Second)
	next := p.successors()[0]
	if said != fmt.Sprintf("MAINPID=%d", next) {
		t.Errorf("%q, and the new process is %d", said, next)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	// hear is what is said in some time.
	hear := func(long time.Duration) (all string) {
		m.conn.SetReadDeadline(time.Now().Add(long))
		for b := make([]byte, 4096); ; {
			n, err := m.conn.Read(b)
			if err != nil {
				return all
			}
			all += string(b[:n]) + "\n"
		}
	}
	if all := hear(2 * time.Second); !strings.HasPrefix(all, "READY=1\n") || strings.Count(all, "WATCHDOG=1") < 2 || strings.Contains(all, "STOPPING") {
		t.Errorf("behind MAINPID: %q", all)
	}
	_ = syscall.Kill(next, syscall.SIGSTOP)
	hear(100 * time.Millisecond)
	if all := hear(1200 * time.Millisecond); all != "" {
		t.Errorf("a process that stands still says %q", all)
	}
	_ = syscall.Kill(next, syscall.SIGCONT)
	m.until("WATCHDOG=1")
	_ = syscall.Kill(next, syscall.SIGTERM)
	m.until("STOPPING=1")
}
