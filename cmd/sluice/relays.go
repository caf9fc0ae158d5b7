package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluice-live/sluice/cmd/sluice/relay"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/packager"
)

// newRelay connects other servers: what is fetched from them comes in by the gate, and what
// goes to them is drawn from Windows.
func (a *app) newRelay() *relay.Relay {
	r := &relay.Relay{
		ID: a.gate.ID, Catalog: a.catalog, Gate: a.gate, Plays: a.plays, Log: a.log.With().Str("room", "relay").Logger(), Metrics: a.metrics, Now: a.clock.now, Tell: a.feed.Tell,
		Limits: relay.Limits{Idle: a.cfg.RTMP.IdleTimeout, Grace: a.cfg.Window.Grace, Bitrate: a.cfg.RTMP.MaxBitrate * 1000, Chunk: limits(a.cfg.RTMP).Chunk},
	}
	r.Set(relaysOf(a.cfg))
	return r
}

// replaceRelays lets pulls and pushes be as a configuration says. Those that it has, too, go
// on.
func (a *app) replaceRelays(c config.Config) {
	if a.relay == nil {
		return
	}
	a.relay.Set(relaysOf(c))
	a.relays.Store(&c)
}

// relayed is a configuration with the pulls and pushes in force in the place of its own.
func (a *app) relayed(c config.Config) config.Config {
	if now := a.relays.Load(); now != nil {
		c.Pull, c.Push = now.Pull, now.Push
	}
	return c
}

// relaysOf are the pulls and pushes of a configuration without faults.
func relaysOf(c config.Config) (pulls []relay.Pull, pushes []relay.Push) {
	for _, path := range slices.Sorted(maps.Keys(c.Pull)) {
		if name, from, word, ok := relayOf(path, c.Pull[path]); ok {
			pulls = append(pulls, relay.Pull{Name: name, From: from, OnDemand: word == config.OnDemand})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(c.Push)) {
		for i, text := range c.Push[path] {
			if name, to, word, ok := relayOf(path, text); ok {
				pushes = append(pushes, relay.Push{Stream: name, Number: i + 1, To: to, Enhanced: word == config.Enhanced})
			}
		}
	}
	return pulls, pushes
}

func relayOf(path, text string) (name packager.StreamName, other client.Address, word string, ok bool) {
	name, err := packager.ParseStreamName(access.SplitPath(path))
	if err != nil {
		return name, other, word, false
	}
	text, word, _ = strings.Cut(text, "#")
	other, err = client.ParseAddress(text)
	return name, other, word, err == nil
}

// plays tells whether anybody plays a stream by RTMP.
func (a *app) plays(name packager.StreamName) bool { return a.readers != nil && a.readers.Plays(name) }

// want is told that a reader wants a stream, and by which servers he has come.
func (a *app) want(name packager.StreamName, via []string) {
	if a.relay != nil {
		a.relay.Want(name, via)
	}
}

// wanted is told that a viewer wants a stream. It tells whether it is fetched for that.
func (a *app) wanted(name packager.StreamName) bool {
	return a.relay != nil && a.relay.Want(name, nil)
}
