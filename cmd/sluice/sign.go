package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-live/sluice/config"
	watching "github.com/sluice-live/sluice/httpserve/access"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/packager"
)

const signUsage = `sluice sign [flags] APP/NAME

prints the address of a stream with a token that lets a viewer in, signed with
the first of watch.token_keys.

`

// signing is what the flags of sign say.
type signing struct {
	expires            time.Duration
	viewer, base, file string
}

func signFlags() (*flag.FlagSet, *signing) {
	flags, s := flag.NewFlagSet("sign", flag.ContinueOnError), new(signing)
	flags.DurationVar(&s.expires, "expires", time.Hour, "how long one can enter with the token")
	flags.StringVar(&s.viewer, "viewer", "", "id of the viewer, which the watermark shows")
	flags.StringVar(&s.base, "base", "", "address of the server, such as https://example.com")
	flags.StringVar(&s.file, "config", "", "configuration file to read")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), signUsage)
		flags.PrintDefaults()
	}
	return flags, s
}

// sign prints an address with a token.
func sign(args, environ []string, now time.Time, w io.Writer) error {
	flags, said := signFlags()
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New(strings.TrimSpace(signUsage))
	}
	stream, err := packager.ParseStreamName(access.SplitPath(strings.Trim(flags.Arg(0), "/")))
	if err != nil {
		return err
	}
	var fileArgs []string
	if said.file != "" {
		fileArgs = []string{"-config", said.file}
	}
	cfg, _, err := config.Load(fileArgs, environ)
	if err != nil {
		return err
	}
	keys, err := tokenKeys(cfg.Watch)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return errors.New("watch.token_keys in the configuration is empty: put a key there, such as `openssl rand -hex 32` prints")
	}
	token, err := watching.Signed{
		ACL: []string{"/" + stream.String() + "/*"}, Expires: now.Add(said.expires), Viewer: said.viewer,
	}.Sign(keys[0])
	if err != nil {
		return err
	}
	if said.base == "" {
		said.base = serverURL(cfg.HTTP)
	}
	for _, file := range []string{"", "index.m3u8", "index.mpd"} {
		fmt.Fprintf(w, "%s/%s/%s?token=%s\n", strings.TrimSuffix(said.base, "/"), stream, file, url.QueryEscape(token))
	}
	return nil
}

// serverURL guesses where the viewers' port of this machine is.
func serverURL(c config.HTTP) string {
	scheme, addr, standard := "http", c.Addr, "80"
	if addr == "" {
		scheme, addr, standard = "https", c.TLSAddr, "443"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		host = lanAddress()
	}
	if port != standard && port != "" {
		host = net.JoinHostPort(host, port)
	}
	return scheme + "://" + host
}
