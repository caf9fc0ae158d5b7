// Command sluice takes RTMP in and gives HLS and DASH out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/memory"
	"github.com/sluice-live/sluice/cmd/sluice/probe"
	"github.com/sluice-live/sluice/cmd/sluice/systemd"
	"github.com/sluice-live/sluice/cmd/sluice/upgrade"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/httpserve/admin"
)

// command is one thing that the program does.
type command struct {
	Name, Args, Help string
	Server           bool // its flags are the configuration
}

// commands has all of them, in the order of the help. The first is done where none is named.
var commands = []command{
	{"serve", "[flags]", "run the server", true},
	{"demo", "[flags]", "run the server and publish a built-in clip to it", true},
	{"key", "NAME", "make a stream key, and its hash for the configuration", false},
	{"check", "[flags]", "read the configuration, name all faults, and stop", true},
	{"probe", "URL", "play an HLS or DASH URL and report what comes", false},
	{"sign", "APP/NAME", "print the address of a stream with a token to watch it", false},
	{"completion", "SHELL", "print a script that completes all of this in bash, zsh or fish", false},
	{"version", "", "print the version, the commit, and the Go that it was built with", false},
	{"help", "", "list all flags", false},
}

// usage has a line for each command.
func usage() string {
	var b strings.Builder
	b.WriteString("sluice takes RTMP in and gives HLS and DASH out.\n\n")
	for i, c := range commands {
		name := c.Name
		if i == 0 {
			name = "[" + name + "]"
		}
		fmt.Fprintf(&b, "  sluice %-18s%s\n", name+" "+c.Args, c.Help)
	}
	b.WriteString("\n")
	return b.String()
}

func main() {
	collectOften()
	memory.LimitHeap()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Go's heap profile looks at one allocation in 512 KiB: at nearly each part, which was 2.6 % of
// what a second of a stream costs. At one in 4 MiB the windows, which are most of the heap, show as well.
func init() { runtime.MemProfileRate = 4 << 20 }

// collectOften keeps what is no longer needed small. Nearly all of the heap are
// windows: bytes without pointers, which a collection doesn't look into, so that
// one costs little. With Go's own setting, memory is more than twice the windows.
func collectOften() {
	const percent = 25
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// known tells whether a word is a command.
func known(word string) bool {
	return slices.ContainsFunc(commands, func(c command) bool { return c.Name == word })
}

func run(ctx context.Context, args []string) error {
	command := commands[0].Name
	if len(args) > 0 && known(args[0]) {
		command, args = args[0], args[1:]
	}
	switch command {
	case "version":
		printVersion(os.Stdout)
		return nil
	case "help":
		fmt.Print(usage())
		config.Help(os.Stdout)
		return nil
	case "probe":
		return probe.Run(ctx, args, os.Stdout)
	case "key":
		return key(args, os.Stdout)
	case "completion":
		return completion(args, os.Stdout)
	case "sign":
		return sign(args, os.Environ(), time.Now(), os.Stdout)
	}
	open, before, err := inherited(command)
	if err != nil {
		return err
	}
	err = begin(ctx, command, args, open, before)
	if err != nil && before != nil {
		before.Fail(err)
	}
	return err
}

// inherited is what a server was started with: its sockets, and the process before it.
func inherited(command string) (*systemd.Sockets, *upgrade.Neighbour, error) {
	if command != "serve" {
		return new(systemd.Sockets), nil, nil
	}
	open, err := systemd.Inherited(os.Getenv)
	if err != nil {
		return nil, nil, err
	}
	if other := open.Other(); other != nil {
		return open, upgrade.NewNeighbour(upgrade.NewWire(other)), nil
	}
	return open, nil, nil
}

// begin does what is done by the configuration.
func begin(ctx context.Context, command string, args []string, open *systemd.Sockets, before *upgrade.Neighbour) error {
	cfg, rest, err := config.Load(args, os.Environ())
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("unknown command or argument %q\n\n%s", rest[0], usage())
	}
	if command == "check" {
		fmt.Println("the configuration is good")
		return nil
	}
	hangup, renew := make(chan os.Signal, 1), make(chan os.Signal, 1)
	if command == "serve" {
		signal.Notify(hangup, syscall.SIGHUP)
		defer signal.Stop(hangup)
		upgrade.Notify(renew)
		defer signal.Stop(renew)
	}
	setLevel(cfg.Log)
	lines := admin.NewLog()
	log := logger(cfg.Log, os.Stderr, lines)
	if note := goNote(runtime.Version()); note != "" {
		log.Warn().Msg(note)
	}
	sayExposure(log, cfg, thisContainer())
	manager, err := systemd.NewManager(os.Getenv)
	if err != nil {
		return err
	}
	var from upgrade.Inheritance
	if before != nil {
		if from, err = before.Begin(ctx); err != nil {
			return err
		}
	}
	a, err := listenBehind(before, from, cfg, open, log, lines)
	if err != nil {
		return err
	}
	a.manager, a.again, a.renew = manager, hangup, renew
	a.reread = func() (config.Config, error) {
		cfg, _, err := config.Load(args, os.Environ())
		return cfg, err
	}
	if cfg.Log.Format == "console" {
		a.banner(os.Stdout)
	}
	if command == "demo" {
		return a.demo(ctx)
	}
	return a.run(ctx)
}

// setLevel sets from what level on all is logged: for the whole process, so that
// operators can change it while it runs.
func setLevel(c config.Log) {
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel // can't be: the configuration was checked
	}
	zerolog.SetGlobalLevel(level)
}

// logger writes to w as the configuration says, and to along as JSON.
func logger(c config.Log, w io.Writer, along ...io.Writer) zerolog.Logger {
	if c.Format == "console" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.DateTime, NoColor: !isTerminal(w)}
	}
	if len(along) > 0 {
		w = zerolog.MultiLevelWriter(append([]io.Writer{w}, along...)...)
	}
	return zerolog.New(w).With().Timestamp().Logger()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
