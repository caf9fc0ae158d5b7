package upgrade

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// newWire returns a wire, and the descriptor of its other end, which is the caller's.
func newWire() (*Wire, int, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, -1, fmt.Errorf("a pair of sockets: %w", err)
	}
	nc, err := connOf(fds[0])
	if err != nil {
		syscall.Close(fds[1])
		return nil, -1, err
	}
	return NewWire(nc), fds[1], nil
}

// connOf makes a connection of a descriptor, which it takes.
func connOf(fd int) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), "upgrade")
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := nc.(*net.UnixConn)
	if !ok {
		nc.Close()
		return nil, fmt.Errorf("a socket of %s was handed over, not of this machine", nc.LocalAddr().Network())
	}
	return u, nil
}

// Dial opens a connection to the other process: it is handed one end of a pair.
func (w *Wire) Dial(context.Context) (net.Conn, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fds[1])
	nc, err := connOf(fds[0])
	if err != nil {
		return nil, err
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	_ = w.conn.SetWriteDeadline(time.Now().Add(dialTimeout))
	if _, _, err := w.conn.WriteMsgUnix([]byte{0}, syscall.UnixRights(fds[1]), nil); err != nil {
		nc.Close()
		return nil, fmt.Errorf("the other process: %w", err)
	}
	return nc, nil
}

// receive returns the next connection that the other process has opened.
func (w *Wire) receive() (net.Conn, error) {
	for {
		b, rights := make([]byte, 1), make([]byte, syscall.CmsgSpace(4))
		n, size, _, _, err := w.conn.ReadMsgUnix(b, rights)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, net.ErrClosed
		}
		messages, err := syscall.ParseSocketControlMessage(rights[:size])
		if err != nil || len(messages) != 1 {
			continue // there was no descriptor left for it: the other process tries again
		}
		fds, err := syscall.ParseUnixRights(&messages[0])
		if err != nil || len(fds) != 1 {
			continue
		}
		syscall.CloseOnExec(fds[0])
		if nc, err := connOf(fds[0]); err == nil {
			return nc, nil
		}
	}
}

// duplicate returns a descriptor of a socket for a process that is about to be started. It
// is the caller's.
func duplicate(s syscall.Conn) (fd int, err error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return -1, err
	}
	var fault error
	err = raw.Control(func(old uintptr) {
		n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
		if fd = int(n); errno != 0 {
			fault = errno
		}
	})
	if err == nil {
		err = fault
	}
	return fd, err
}

// begin starts the program again, with these descriptors behind those of stderr. Unlike
// os.StartProcess, it doesn't let sockets block that this process goes on with.
func begin(path string, args, env []string, fds []int) (*os.Process, error) {
	files := []uintptr{0, 1, 2}
	for _, fd := range fds {
		files = append(files, uintptr(fd))
	}
	pid, _, err := syscall.StartProcess(path, args, &syscall.ProcAttr{Env: env, Files: files})
	if err != nil {
		return nil, err
	}
	return os.FindProcess(pid)
}

func closeDescriptor(fd int) { syscall.Close(fd) }
