package main

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/gate"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// desk is what operators ask, and have done.
type desk struct {
	*gate.Gate
	app *app
}

var _ admin.House = desk{}

// Ready tells whether publishers may come.
func (d desk) Ready() bool { return d.app.ready.Load() && !d.Draining() }

// About is what the program says of itself.
func (d desk) About() admin.About {
	at := &d.app.ports.Addr
	about := admin.About{
		Version: moduleVersion(), Began: d.app.began,
		Ports: admin.Ports{RTMP: portOf(at.RTMP), RTMPS: portOf(at.RTMPS), HTTP: portOf(at.HTTP), HTTPS: portOf(at.HTTPS)},
	}
	for _, need := range *d.app.rules.needs.Load() {
		about.Needs = append(about.Needs, string(need))
	}
	return about
}

// each is what metrics tell of each stream.
func (d desk) each() (all []metrics.Stream) {
	for _, s := range d.Streams() {
		w := s.Window()
		one := metrics.Stream{Name: w.Stream.String(), Viewers: d.Viewers(w.Stream), Bytes: w.Bytes() + s.Pinned(), Unwell: len(d.Health(w.Stream))}
		for i := range w.Renditions {
			one.Bitrate += w.Renditions[i].Average
		}
		all = append(all, one)
	}
	return all
}

// Streams has all there are.
func (d desk) Streams() []*packager.Stream { return d.app.catalog.Streams() }

// Readers are those who play by RTMP.
func (d desk) Readers() []admin.Reader {
	if d.app.readers == nil {
		return nil
	}
	return d.app.readers.List()
}

// Relays are the streams that come from other servers, and go to them.
func (d desk) Relays() []admin.Relay {
	if d.app.relay == nil {
		return nil
	}
	return d.app.relay.List()
}

// Viewers is how many watch a stream.
func (d desk) Viewers(name packager.StreamName) int { return d.app.http.Watching(name) }

// Hooks are those who are told what happens.
func (d desk) Hooks() []admin.Hook { return d.app.hooks.State() }

// Settings are those that the server goes by now.
func (d desk) Settings() []admin.Setting {
	var all []admin.Setting
	c := d.app.relayed(d.app.rules.in(d.app.cfg))
	c.Log.Level = d.LogLevel()
	c.Hooks = *d.app.told.Load()
	for _, s := range c.Settings() {
		all = append(all, admin.Setting{Path: s.Path, Value: s.Value, Secret: s.Secret})
	}
	return all
}

// Reload reads the configuration again.
func (d desk) Reload(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case d.app.reload <- answer:
		return <-answer
	case <-ctx.Done():
		return errors.New("the server is stopping")
	}
}

// Drain lets no publishers in.
func (d desk) Drain(to string) {
	d.Gate.Drain(to)
	d.app.log.Warn().Msg("drained: no publisher is let in")
	d.app.feed.Tell(admin.Event{Kind: admin.Drained, Text: "no publisher is let in"})
}

// Undrain lets them in again.
func (d desk) Undrain() {
	d.Gate.Undrain()
	d.app.log.Info().Msg("publishers are let in again")
	d.app.feed.Tell(admin.Event{Kind: admin.Drained, Text: "publishers are let in again"})
}

// LogLevel is from what level on the log has all.
func (d desk) LogLevel() string { return zerolog.GlobalLevel().String() }

// SetLogLevel sets it. All loggers of the process go by it.
func (d desk) SetLogLevel(level string) {
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		return // can't be: the API has checked it
	}
	zerolog.SetGlobalLevel(l)
	d.app.log.WithLevel(zerolog.WarnLevel).Str("level", level).Msg("the operator has set how much is logged")
}
