package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Manager is what has started the program and wants to know how it is. A nil one wants to
// know nothing.
type Manager struct {
	conn *net.UnixConn
	dog  time.Duration
	past atomic.Bool // another process is the service: nothing is told any more
}

// writeTimeout is for a manager that doesn't read. It lives, or the machine has worse to do.
const writeTimeout = time.Second

// NewManager returns the one that env tells of, or nil. A socket that can't be reached is an
// error: the manager would wait for words that never come.
func NewManager(env func(string) string) (*Manager, error) {
	path := env("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	// A name with "@" in front is an abstract one, which Go writes the same.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	return &Manager{conn: conn, dog: watchdog(env)}, nil
}

// watchdog is how often, at least, the manager wants to hear that we live; 0: it doesn't.
func watchdog(env func(string) string) time.Duration {
	if pid := env("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	us, err := strconv.ParseInt(env("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 || us > int64(24*time.Hour/time.Microsecond) {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// Watchdog is the longest that the manager waits for Alive, 0 where it doesn't.
func (m *Manager) Watchdog() time.Duration {
	if m == nil {
		return 0
	}
	return m.dog
}

// Ready tells that the program serves, after its start as after a reload.
func (m *Manager) Ready(status string) { m.tell("READY=1", "STATUS="+status) }

// Reloading tells that the configuration is read again. Ready follows.
func (m *Manager) Reloading() {
	m.tell("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonic().Microseconds()), "STATUS=reading the configuration again")
}

// Stopping tells that the program ends, and may take that long.
func (m *Manager) Stopping(most time.Duration, status string) {
	m.tell("STOPPING=1", fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", most.Microseconds()), "STATUS="+status)
}

// Status tells in a line how it is.
func (m *Manager) Status(text string) { m.tell("STATUS=" + text) }

// Alive is what the watchdog wants to hear.
func (m *Manager) Alive() { m.tell("WATCHDOG=1") }

// Successor tells that another process is the service from now on.
func (m *Manager) Successor(pid int) {
	m.tell(fmt.Sprintf("MAINPID=%d", pid))
	if m != nil {
		m.past.Store(true)
	}
}

// Again tells that this process is the service again.
func (m *Manager) Again() {
	if m != nil {
		m.past.Store(false)
	}
	m.tell(fmt.Sprintf("MAINPID=%d", os.Getpid()))
}

// tell sends assignments. Nothing can be done where they don't arrive: a manager that misses
// them acts by itself.
func (m *Manager) tell(lines ...string) {
	if m == nil || m.past.Load() {
		return
	}
	for i, line := range lines {
		lines[i] = strings.ReplaceAll(line, "\n", " ")
	}
	_ = m.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, _ = m.conn.Write([]byte(strings.Join(lines, "\n")))
}
