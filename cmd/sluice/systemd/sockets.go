package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// firstSocket is the descriptor of the first one (SD_LISTEN_FDS_START).
const firstSocket = 3

// mostSockets bounds what the environment can make us look at.
const mostSockets = 64

// Sockets are those that were open before the program began, by the names of its
// listeners. The zero value has none.
type Sockets struct {
	streams   map[string]net.Listener
	datagrams map[string]net.PacketConn
	other     *net.UnixConn
}

// otherProcess is what the socket is called by which a process before this one is reached.
const otherProcess = "upgrade"

// Inherited takes over the sockets that env tells of, if it tells this process: LISTEN_PID
// is its number, or LISTEN_PPID that of the process that has started it. A program that
// starts another one doesn't know the former beforehand.
func Inherited(env func(string) string) (*Sockets, error) {
	ours := env("LISTEN_PID") == strconv.Itoa(os.Getpid()) || env("LISTEN_PPID") == strconv.Itoa(os.Getppid())
	if !ours || env("LISTEN_FDS") == "" {
		return new(Sockets), nil
	}
	n, err := strconv.Atoi(env("LISTEN_FDS"))
	if err != nil || n < 0 || n > mostSockets {
		return nil, fmt.Errorf("LISTEN_FDS is %q: a number up to %d is expected", env("LISTEN_FDS"), mostSockets)
	}
	names := strings.Split(env("LISTEN_FDNAMES"), ":")
	var files []*os.File
	for i := range n {
		name := ""
		if i < len(names) {
			name = names[i]
		}
		files = append(files, os.NewFile(uintptr(firstSocket+i), name))
	}
	return Take(files...)
}

// Take takes over open sockets by the names of their files, which it closes.
func Take(files ...*os.File) (*Sockets, error) {
	s := &Sockets{streams: make(map[string]net.Listener), datagrams: make(map[string]net.PacketConn)}
	var faults []error
	for _, f := range files {
		if err := s.add(f); err != nil {
			faults = append(faults, fmt.Errorf("a socket that was handed to us, called %q: %w", f.Name(), err))
		}
		f.Close()
	}
	if err := errors.Join(faults...); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// add files a socket under its name. A datagram one that is called as that of HTTPS, as in a
// unit that opens both, is that of HTTP/3.
func (s *Sockets) add(f *os.File) error {
	name := f.Name()
	if name == otherProcess {
		nc, err := net.FileConn(f)
		if err != nil {
			return err
		}
		var ok bool
		if s.other, ok = nc.(*net.UnixConn); !ok {
			nc.Close()
			return errors.New("it isn't a connection to another process of this machine")
		}
		return nil
	}
	if l, err := net.FileListener(f); err == nil {
		if _, ok := l.Addr().(*net.TCPAddr); !ok {
			l.Close()
			return fmt.Errorf("it is one of %s, not of TCP", l.Addr().Network())
		}
		if s.streams[name] != nil {
			l.Close()
			return errors.New("there are two of that name")
		}
		s.streams[name] = l
		return nil
	}
	pc, err := net.FilePacketConn(f)
	if err != nil {
		return fmt.Errorf("it neither listens nor takes datagrams: %w", err)
	}
	if name == "https" {
		name = "http3"
	}
	if _, ok := pc.(*net.UDPConn); !ok || s.datagrams[name] != nil {
		pc.Close()
		return errors.New("it isn't one of UDP, or there are two of that name")
	}
	s.datagrams[name] = pc
	return nil
}

// TCP returns the listener of that name, which is the caller's from then on, or nil.
func (s *Sockets) TCP(name string) net.Listener {
	l := s.streams[name]
	delete(s.streams, name)
	return l
}

// UDP returns the socket of that name, which is the caller's from then on, or nil.
func (s *Sockets) UDP(name string) net.PacketConn {
	pc := s.datagrams[name]
	delete(s.datagrams, name)
	return pc
}

// Other returns the connection to the process before this one, which is the caller's from
// then on, or nil.
func (s *Sockets) Other() *net.UnixConn {
	other := s.other
	s.other = nil
	return other
}

// Left are the names of those that nobody has taken.
func (s *Sockets) Left() (names []string) {
	for name := range s.streams {
		names = append(names, name)
	}
	for name := range s.datagrams {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Close closes those that nobody has taken.
func (s *Sockets) Close() {
	for _, l := range s.streams {
		l.Close()
	}
	for _, pc := range s.datagrams {
		pc.Close()
	}
	if s.other != nil {
		s.other.Close()
	}
}
