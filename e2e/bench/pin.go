//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// cores is a set of them, as sched_setaffinity(2) has it: the first 1024.
type cores [16]uint64

func (c *cores) add(n int)      { c[n/64] |= 1 << (n % 64) }
func (c *cores) remove(n int)   { c[n/64] &^= 1 << (n % 64) }
func (c *cores) has(n int) bool { return c[n/64]>>(n%64)&1 == 1 }

// ownCores are those that this thread may be on.
func ownCores() (c cores, err error) {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(c), uintptr(unsafe.Pointer(&c)))
	if errno != 0 {
		return c, fmt.Errorf("sched_getaffinity: %w", errno)
	}
	return c, nil
}

// pin keeps a thread on some cores; 0 is the calling one.
func pin(thread int, to cores) error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(thread), unsafe.Sizeof(to), uintptr(unsafe.Pointer(&to)))
	if errno != 0 {
		return fmt.Errorf("sched_setaffinity: %w", errno)
	}
	return nil
}

// places says where the server runs, and where all else does.
type places struct{ server, load cores }

// place gives one core to the server, and keeps this process off it.
func place(server int) (places, error) {
	all, err := ownCores()
	if err != nil {
		return places{}, err
	}
	p := places{load: all}
	p.server.add(server)
	if p.load.remove(server); !all.has(server) || p.load == (cores{}) {
		return p, fmt.Errorf("core %d for the server and another for the load: this machine doesn't give both", server)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return p, err
	}
	for _, t := range threads { // those that come later are where these are
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return p, err
		}
		if err := pin(id, p.load); err != nil {
			return p, err
		}
	}
	return p, nil
}

// start starts a server in its place: a process is born where the thread is
// that starts it.
func (p places) start(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := pin(0, p.server); err != nil {
		return err
	}
	err := cmd.Start()
	if back := pin(0, p.load); back != nil {
		return back
	}
	return err
}
