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
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/memory"
	"github.com/sluice-live/sluice/cmd/sluice/probe"
	"github.com/sluice-live/sluice/cmd/sluice/systemd"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/httpserve/admin"
)

const usage = `sluice takes RTMP in and gives HLS and DASH out.

  sluice [serve] [flags]   run the server
  sluice demo [flags]      run the server and publish a built-in clip to it
  sluice key NAME          make a stream key, and its hash for the configuration
  sluice check [flags]     read the configuration, name all faults, and stop
  sluice probe URL         play an HLS or DASH URL and report what comes
  sluice sign APP/NAME     print the address of a stream with a token to watch it
  sluice version           print the version, the commit, and the Go that it was built with
  sluice help              list all flags

`

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

// collectOften keeps what is no longer needed small. Nearly all of the heap are
// windows: bytes without pointers, which a collection doesn't look into, so that
// one costs little. With Go's own setting, memory is more than twice the windows.
func collectOften() {
	const percent = 25
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

func run(ctx context.Context, args []string) error {
	command := "serve"
	if len(args) > 0 && slices.Contains([]string{"serve", "demo", "check", "probe", "sign", "key", "version", "help"}, args[0]) {
		command, args = args[0], args[1:]
	}
	switch command {
	case "version":
		printVersion(os.Stdout)
		return nil
	case "help":
		fmt.Print(usage)
		config.Help(os.Stdout)
		return nil
	case "probe":
		return probe.Run(ctx, args, os.Stdout)
	case "key":
		return key(args, os.Stdout)
	case "sign":
		return sign(args, os.Environ(), time.Now(), os.Stdout)
	}
	cfg, rest, err := config.Load(args, os.Environ())
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("unknown command or argument %q\n\n%s", rest[0], usage)
	}
	if command == "check" {
		fmt.Println("the configuration is good")
		return nil
	}
	hangup := make(chan os.Signal, 1)
	if command == "serve" {
		signal.Notify(hangup, syscall.SIGHUP)
		defer signal.Stop(hangup)
	}
	setLevel(cfg.Log)
	lines := admin.NewLog()
	log := logger(cfg.Log, os.Stderr, lines)
	if note := goNote(runtime.Version()); note != "" {
		log.Warn().Msg(note)
	}
	sayExposure(log, cfg, thisContainer())
	open, err := systemd.Inherited(os.Getenv)
	if err != nil {
		return err
	}
	manager, err := systemd.NewManager(os.Getenv)
	if err != nil {
		return err
	}
	a, err := listenOn(cfg, open, log, lines)
	if err != nil {
		return err
	}
	a.manager, a.again = manager, hangup
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
