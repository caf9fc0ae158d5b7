//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what a process and its children have used, and hold.
type usage struct {
	cpu      time.Duration // all of it, to the nanosecond
	user     time.Duration // what of it was outside of the kernel, to 10 ms
	switches int           // how often it slept and was woken, or had to make way
	rss      int           // bytes
}

// since is what was used from before on, and is held now.
func (u usage) since(before usage) usage {
	return usage{u.cpu - before.cpu, u.user - before.user, u.switches - before.switches, u.rss}
}

// readUsage reads /proc of a process, its threads and its children.
func readUsage(pid int) (usage, error) {
	var all usage
	dir := fmt.Sprintf("/proc/%d", pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return all, err
	}
	if all.user, err = parseUser(string(stat)); err != nil {
		return all, fmt.Errorf("%s/stat: %w", dir, err)
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return all, err
	}
	all.rss = 1024 * parseStatus(string(status), "VmRSS")
	tasks, err := filepath.Glob(dir + "/task/*")
	if err != nil || len(tasks) == 0 {
		return all, fmt.Errorf("%s has no threads", dir)
	}
	for _, task := range tasks {
		if err := addTask(&all, task); err != nil {
			return all, err
		}
	}
	return all, nil
}

// addTask adds what a thread used, and the processes that it started.
func addTask(all *usage, task string) error {
	var text [3]string
	for i, name := range []string{"/schedstat", "/status", "/children"} {
		b, err := os.ReadFile(task + name)
		if os.IsNotExist(err) {
			return nil // it ended just now
		}
		if err != nil {
			return err
		}
		text[i] = string(b)
	}
	onCPU, _, _ := strings.Cut(text[0], " ")
	ns, err := strconv.ParseInt(onCPU, 10, 64)
	if err != nil {
		return fmt.Errorf("%s/schedstat: %q", task, text[0])
	}
	all.cpu += time.Duration(ns)
	all.switches += parseStatus(text[1], "voluntary_ctxt_switches") + parseStatus(text[1], "nonvoluntary_ctxt_switches")
	for _, child := range strings.Fields(text[2]) {
		pid, err := strconv.Atoi(child)
		if err != nil {
			return err
		}
		u, err := readUsage(pid)
		if err != nil {
			return err
		}
		all.cpu, all.user, all.switches, all.rss = all.cpu+u.cpu, all.user+u.user, all.switches+u.switches, all.rss+u.rss
	}
	return nil
}

// parseUser finds the user time in /proc/PID/stat, proc(5): the 14th field. The
// second is the program's name in parentheses, which may have anything in it.
func parseUser(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const utime, tick = 14 - 3, 10 * time.Millisecond
	if len(fields) <= utime {
		return 0, fmt.Errorf("it has %d fields", len(fields))
	}
	n, err := strconv.ParseInt(fields[utime], 10, 64)
	return time.Duration(n) * tick, err
}

// parseStatus finds a number in /proc/PID/status; 0 where it isn't.
func parseStatus(status, name string) int {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(value)[0])
			return n
		}
	}
	return 0
}
