package gather

import (
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loop wakes the goroutines of connections that something came for.
//
//	sockets ─edge─▶ ready ─▶ bell ─edge─▶ Go's poller ─▶ round
//	                 timer ─▶
//
// ready and bell are epolls. Go's poller rings for everything that happens to
// what is in the bell: ready is heard by it while no pause is made, the timer
// while one is. So no thread waits but the one of Go's poller, and that sleeps
// until there is a reason.
type loop struct {
	ready, timer, bell int
	file               *os.File // the bell, for Go's poller
	done               chan struct{}

	// Of the loop's goroutine alone.
	rhythm rhythm
	events [256]unix.EpollEvent
	ticks  [8]byte

	mu    sync.Mutex // held while events are looked at: what has left gets none
	conns []*conn    // by their descriptors
	users int        // connections, and the listener
}

func newLoop() (l *loop, err error) {
	l = &loop{ready: -1, timer: -1, done: make(chan struct{}), users: 1}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that NewFile shows it to Go's poller
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	l.bell, l.file = fd, os.NewFile(uintptr(fd), "bell")
	if err := l.file.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("an epoll in Go's poller: %w", err)
	}
	if l.ready, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	for _, fd := range []int{l.ready, l.timer} {
		if err := unix.EpollCtl(l.bell, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return nil, os.NewSyscallError("epoll_ctl", err)
		}
	}
	raw, err := l.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(l.done)
		// It wants to be called again, always: until the file is closed.
		raw.Read(func(uintptr) bool { l.round(); return false })
	}()
	return l, nil
}

func (l *loop) close() {
	l.file.Close() // nil knows what to do
	for _, fd := range []int{l.ready, l.timer} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// add adds a connection.
func (l *loop) add(fd int, c *conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users == 0 {
		return net.ErrClosed
	}
	// Edges: what a goroutine hasn't read yet rings no second time.
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd)}
	if err := unix.EpollCtl(l.ready, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	if more := fd + 1 - len(l.conns); more > 0 {
		l.conns = append(l.conns, make([]*conn, more)...)
	}
	l.conns[fd] = c
	l.users++
	return nil
}

// forget removes a connection before its descriptor is closed.
func (l *loop) forget(fd int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	unix.EpollCtl(l.ready, unix.EPOLL_CTL_DEL, fd, nil) // it is there
	l.conns[fd] = nil
}

// leave is for each user's end. The last one takes the loop along.
func (l *loop) leave() {
	l.mu.Lock()
	l.users--
	last := l.users == 0
	l.mu.Unlock()
	if last {
		l.file.Close()
		<-l.done
		l.close()
	}
}

// round wakes those that something came for.
func (l *loop) round() {
	paused := l.rhythm.pausing
	if paused {
		transfer(unix.SYS_READ, l.timer, l.ticks[:]) // or it would ring only once
	}
	l.rhythm.heard(l.wake(), time.Now())
	if l.rhythm.pausing != paused {
		l.listen()
		l.wake() // what came before the bell was set would ring it no more
	}
}

func (l *loop) wake() (arrivals int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		n := epollWait(l.ready, l.events[:])
		for _, e := range l.events[:n] {
			l.conns[e.Fd].wake(e.Events)
		}
		arrivals += n
		if n < len(l.events) {
			return arrivals
		}
	}
}

// listen sets what the bell rings for. Nothing in it can fail as long as the
// descriptors are what they are.
func (l *loop) listen() {
	var every unix.ItimerSpec
	arrivals := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.ready)}
	if l.rhythm.pausing {
		every.Value = unix.NsecToTimespec(int64(pause))
		every.Interval = every.Value
		arrivals.Events = 0
	}
	unix.TimerfdSettime(l.timer, 0, &every, nil)
	unix.EpollCtl(l.bell, unix.EPOLL_CTL_MOD, l.ready, &arrivals)
}

// The system calls that are made all the time are made without telling Go's
// scheduler: none of them waits, and telling it wakes its watchman, a thread.

func epollWait(epfd int, events []unix.EpollEvent) int {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// transfer is a read or a write.
func transfer(trap uintptr, fd int, b []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno == 0 {
			return int(n), nil
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}
