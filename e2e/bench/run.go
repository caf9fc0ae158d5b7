//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// bench is a run.
type bench struct {
	places
	port   int    // the first of four
	dir    string // in memory
	warm   time.Duration
	length time.Duration // of a measurement
	late   time.Duration // that the load may be, of 99 % of its messages
	rounds int
	peers  []peer
}

// row is one thing that is measured of some peers, by turns.
type row struct {
	name, title string
	peers       []string      // where nobody says others
	against     []string      // whom ratios are with
	sizes       []int         // how many streams, or viewers: each is measured
	main        string        // the figure that ratios are of
	warm        time.Duration // load before a measurement, where that of the run is too short
	measure     func(ctx context.Context, b *bench, p peer, size int) (figures, error)
}

// figures are what one measurement gives, by name; the name has the unit.
type figures map[string]float64

func allRows() []row { return slices.Concat(ingestRows, watchRows, deliverRows, holdRows) }

func runCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	b := bench{}
	flags.IntVar(&b.port, "port", 21935, "the first of four ports on 127.0.0.1")
	flags.DurationVar(&b.warm, "warm", 5*time.Second, "load before a measurement")
	flags.DurationVar(&b.length, "for", 10*time.Second, "length of a measurement")
	flags.IntVar(&b.rounds, "rounds", 5, "measurements of each server; medians are printed")
	flags.DurationVar(&b.late, "late", 10*time.Millisecond, "a measurement is made again where 1 % of the load was later")
	core := flags.Int("core", 0, "the core for the server; all others have the load")
	names := flags.String("rows", "", "rows to measure, separated by commas; all where empty: "+rowNames())
	servers := flags.String("servers", "", "servers to measure, separated by commas; all of each row where empty")
	file := flags.String("json", "", "file for what was measured, as JSON")
	var ours []peer
	flags.Func("sluice", "NAME=PATH of a sluice program, for each that is measured (sluice=bin/sluice)", func(s string) error {
		name, path, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("NAME=PATH is wanted")
		}
		ours = append(ours, sluice(name, path))
		return nil
	})
	flags.Parse(args)
	if ours == nil {
		ours = []peer{sluice("sluice", "bin/sluice")}
	}
	b.peers = append(ours, nginxTS, nginxBoth, nginxFiles, goroutineFloor, roundsFloor, cFloor, httpFloor)
	rows, err := b.choose(*names, *servers, ours)
	if err != nil {
		return err
	}
	if b.places, err = place(*core); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("/dev/shm", "sluice-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	return b.run(ctx, rows, ours, *file)
}

func rowNames() string {
	var names []string
	for _, r := range allRows() {
		names = append(names, r.name)
	}
	return strings.Join(names, ",")
}

// choose returns the rows that are wanted, each with those of its peers that are
// wanted; all where nobody says. In a row's own list "sluice" stands for all of ours.
func (b *bench) choose(names, servers string, ours []peer) ([]row, error) {
	wantedRow, wantedPeer := wanted(names), wanted(servers)
	for name := range strings.SplitSeq(servers, ",") {
		if _, err := b.peer(name); servers != "" && err != nil {
			return nil, err
		}
	}
	var rows []row
	for _, r := range allRows() {
		var peers []string
		for _, name := range r.peers {
			if name != "sluice" {
				peers = append(peers, name)
				continue
			}
			for _, p := range ours {
				peers = append(peers, p.name)
			}
		}
		r.peers = slices.DeleteFunc(peers, func(name string) bool { return !wantedPeer(name) })
		if wantedRow(r.name) && len(r.peers) > 0 {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no row is named %s, or none has %s: there are %s", names, servers, rowNames())
	}
	return rows, nil
}

// wanted tells what is in a list, separated by commas; all is in an empty one.
func wanted(list string) func(string) bool {
	names := strings.Split(list, ",")
	return func(name string) bool { return list == "" || slices.Contains(names, name) }
}

func (b *bench) peer(name string) (peer, error) {
	var known []string
	for _, p := range b.peers {
		if p.name == name {
			return p, nil
		}
		known = append(known, p.name)
	}
	return peer{}, fmt.Errorf("no server is named %s: there are %s", name, strings.Join(known, ", "))
}

// run measures row by row, and says what can be said even if some fail.
func (b *bench) run(ctx context.Context, rows []row, ours []peer, file string) error {
	all := newReport(b)
	fmt.Printf("%s, %d rounds of %v behind %v\n", all.Machine, b.rounds, b.length, b.warm)
	var failed error
	for _, r := range rows {
		of, err := b.measure(ctx, r)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", r.name, err))
		}
		all.Rows = append(all.Rows, of)
		fmt.Println(of.table())
		if ctx.Err() != nil {
			break
		}
	}
	for _, p := range ours {
		fmt.Print(verdicts(all.Rows, p.name))
	}
	if file != "" {
		failed = errors.Join(failed, all.write(file))
	}
	return failed
}

// measure lets the peers of a row take turns, at all sizes. Each round begins
// with another one.
func (b *bench) measure(ctx context.Context, r row) (result, error) {
	of := newResult(r)
	for round := range b.rounds {
		for i := range of.Series {
			s := &of.Series[(i+round)%len(of.Series)]
			f, err := b.turn(ctx, r, s.Server, s.Size)
			if err != nil {
				return of, fmt.Errorf("%s, %d: %w", s.Server, s.Size, err)
			}
			s.add(f)
			fmt.Fprintf(os.Stderr, "%s %d/%d %s, %d: %.4g %s\n", r.name, round+1, b.rounds, s.Server, s.Size, f[r.main], r.main)
		}
	}
	return of, nil
}

// turn is one measurement, made again where the load was late.
func (b *bench) turn(ctx context.Context, r row, server string, size int) (figures, error) {
	p, err := b.peer(server)
	if err != nil {
		return nil, err
	}
	longer := *b
	if !p.blind { // floors keep nothing
		longer.warm = max(b.warm, r.warm)
	}
	for try := 1; ; try++ {
		f, err := r.measure(ctx, &longer, p, size)
		const tries = 3
		if !errors.Is(err, errLate) || try == tries {
			return f, err
		}
		fmt.Fprintf(os.Stderr, "%s %s, %d: again: %v\n", r.name, server, size, err)
	}
}

// pause returns early, with an error, when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
