package e2e

import (
	"os"
	"syscall"
)

// Not even a test binary that is killed leaves a server or an encoder behind,
// and a child that has children of its own takes them with it.
func init() {
	childAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	killChild = func(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }
}
