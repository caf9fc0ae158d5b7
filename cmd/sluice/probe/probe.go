// Package probe plays an HLS or DASH presentation as players do, and reports
// what came: tracks, durations, latency, faults. It knows nothing of the server:
// it may be anybody's.
package probe

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"
)

const usage = `sluice probe [-for 10s] [-v] URL plays an HLS or DASH URL and reports what comes.

  -for DURATION   how long to play (default 10s)
  -v              a line for each segment
`

// wish is what the flags say.
type wish struct {
	length  time.Duration
	verbose bool
}

// Flags are those of the command line.
func Flags() (*flag.FlagSet, *wish) {
	flags, said := flag.NewFlagSet("probe", flag.ContinueOnError), new(wish)
	flags.SetOutput(io.Discard) // main prints the error
	flags.DurationVar(&said.length, "for", 10*time.Second, "how long to play")
	flags.BoolVar(&said.verbose, "v", false, "a line for each segment")
	return flags, said
}

// Run plays the URL in args, as those of the command line, and writes a report
// to out. It returns flag.ErrHelp, or an error if what it played has faults.
func Run(ctx context.Context, args []string, out io.Writer) error {
	flags, said := Flags()
	length, verbose := &said.length, &said.verbose
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		return err
	case err != nil:
		return fmt.Errorf("probe: %w", err)
	case flags.NArg() != 1:
		return fmt.Errorf("probe: one URL is needed\n\n%s", usage)
	case *length <= 0:
		return fmt.Errorf("probe: -for %v: must be more than zero", *length)
	}
	u, err := url.Parse(flags.Arg(0))
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("probe: %q: not an http or https URL", flags.Arg(0))
	}

	progress := io.Discard
	if *verbose {
		progress = out
	}
	r := newReport(u.String(), progress)
	f := newFetcher(r)
	defer f.close()
	ctx, cancel := context.WithTimeout(ctx, *length)
	defer cancel()
	if err := play(ctx, f, u, *length); err != nil {
		r.stop(ctx, err)
	}
	return r.write(out)
}

// play reads the presentation at u until it or ctx ends. length is how much
// of a recording to play.
func play(ctx context.Context, f *fetcher, u *url.URL, length time.Duration) error {
	kind, err := presentationKind(ctx, f, u)
	if err != nil {
		return err
	}
	f.report.setKind(kind)
	if kind == kindDASH {
		return playDASH(ctx, f, u, length)
	}
	return playHLS(ctx, f, u)
}

const (
	kindHLS  = "HLS"
	kindDASH = "DASH"
)

// presentationKind tells by the URL's ending, or else by what the server says.
func presentationKind(ctx context.Context, f *fetcher, u *url.URL) (string, error) {
	switch strings.ToLower(path.Ext(u.Path)) {
	case ".m3u8":
		return kindHLS, nil
	case ".mpd":
		return kindDASH, nil
	}
	res, err := f.get(ctx, u, playlistLimit)
	switch {
	case err != nil:
		return "", err
	case isHLS(res.contentType):
		return kindHLS, nil
	case strings.HasPrefix(res.contentType, "application/dash+xml"):
		return kindDASH, nil
	}
	return "", fmt.Errorf("%q is neither a playlist nor a manifest", res.contentType)
}

// isHLS knows the registered media type and the older one (RFC 8216, section 4).
func isHLS(contentType string) bool {
	t := strings.ToLower(contentType)
	return strings.HasPrefix(t, "application/vnd.apple.mpegurl") ||
		strings.HasPrefix(t, "application/x-mpegurl") ||
		strings.HasPrefix(t, "audio/mpegurl")
}
