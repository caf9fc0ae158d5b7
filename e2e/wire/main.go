// Command wire makes the recordings in ingest/testdata/wire.
//
//	wire record -addr 127.0.0.1:1935 DIR   receives publications, each into DIR/NAME.flv
//	wire make DIR                          makes out of these what no encoder here sends (and of DIR/vp8.ivf)
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "wire:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("wire", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:1935", "where record listens")
	if len(args) == 0 {
		return fmt.Errorf("usage: wire record [-addr HOST:PORT] DIR, or wire make DIR")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("usage: wire %s DIR", args[0])
	}
	switch dir := flags.Arg(0); args[0] {
	case "record":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		return record(ctx, *addr, dir)
	case "make":
		return makeAll(dir)
	}
	return fmt.Errorf("%s: no such command", args[0])
}
