//go:build linux

// Command bench measures servers side by side: each alone on one core, the load on
// the others, by turns in one run, so that what is noise to one is noise to all.
//
//	          ┌── core of the server ───────────┐
//	publish ──┼─▶ sluice | nginx-rtmp | a floor │──▶ viewers
//	          └────────────── ▲ ────────────────┘
//	                        /proc: CPU time, memory, wake-ups
//
// A floor is a program that reads what publishers send, and discards it: what any
// server must spend on this machine. One sends files, and is net/http and no more.
//
//	bench run                 measures rows, prints a table, writes JSON
//	bench publish             feeds a server with streams at their pace, for next to nothing
//	bench floor goroutines|rounds ADDR
//	bench floor http ADDR DIR
//	bench plot FILE DIR       draws the JSON of a run
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{""}
	}
	switch args[0] {
	case "run":
		return runCommand(ctx, args[1:])
	case "publish":
		return publishCommand(ctx, args[1:])
	case "plot":
		return plotCommand(args[1:])
	case "floor":
		signal.Reset() // a signal ends it at once
		return floorCommand(args[1:])
	}
	return fmt.Errorf("%q is no command: run, publish, floor, plot", args[0])
}

func publishCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("publish", flag.ExitOnError)
	p := publisher{}
	flags.StringVar(&p.addr, "addr", "127.0.0.1:1935", "the server's RTMP address")
	flags.IntVar(&p.streams, "streams", 1, "how many, named live/s0, live/s1, …")
	flags.StringVar(&p.kind, "kind", "light", "light: 360p of 0.8 Mbit/s, heavy: 1080p of 6 Mbit/s")
	flags.BoolVar(&p.blind, "blind", false, "send without a dialogue, to a floor")
	flags.DurationVar(&p.length, "for", 0, "end after this time, 0: on a signal")
	flags.Parse(args)
	return p.run(ctx, os.Stdout)
}
