package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/access"
)

const keyUsage = `sluice key NAME         make a stream key that publishes as NAME, or APP/NAME
sluice key -user NAME   make a password for an encoder that logs in`

func keyFlags() (set *flag.FlagSet, user *bool) {
	set = flag.NewFlagSet("key", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return set, set.Bool("user", false, "make a password for an encoder that logs in")
}

// key makes a secret for an encoder, and prints it with what the configuration
// keeps of it.
func key(args []string, w io.Writer) error {
	set, user := keyFlags()
	if err := set.Parse(args); err != nil || set.NArg() != 1 {
		return errors.New(keyUsage)
	}
	name, secret := set.Arg(0), access.NewKey()
	if *user {
		if !access.ValidUser(name) {
			return fmt.Errorf("user %q: a user has letters, digits and - _ . @, at most 64", name)
		}
		fmt.Fprintf(w, userText, name, secret, name, access.SaltedPassword(name, secret), name, secret)
		return nil
	}
	if err := config.CheckKeyName(name); err != nil {
		return err
	}
	app, _, _ := strings.Cut(name, "/")
	if app == name {
		app = "live"
	}
	fmt.Fprintf(w, keyText, app, secret, app, secret, name, access.HashKey(secret))
	return nil
}

const keyText = `For the encoder, and for nobody else:

  Server      rtmp://HOST/%s
  Stream key  %s
  ffmpeg      … -f flv rtmp://HOST/%s/%s

For sluice.yaml, which keeps only its hash:

  publish:
    keys:
      %s: %s
`

const userText = `For the encoder, and for nobody else:

  User        %s
  Password    %s

For sluice.yaml:

  publish:
    users:
      %s: "%s"

  ffmpeg      … -f flv rtmp://%s:%s@HOST/live/cam1
`
