package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sluice-live/sluice/cmd/sluice/gate"
	"github.com/sluice-live/sluice/cmd/sluice/readers"
	"github.com/sluice-live/sluice/cmd/sluice/upgrade"
	"github.com/sluice-live/sluice/ingest"
)

// handler is who answers encoders, and those who play by RTMP.
func (a *app) handler() ingest.Handler {
	if !a.cfg.RTMP.Play {
		return a.gate
	}
	a.readers = &readers.Readers{
		Catalog: a.catalog, Access: a.rules.viewers.Load, Start: readers.Starts(a.cfg.RTMP.PlayStart), Wait: a.cfg.RTMP.PlayWait, Most: a.cfg.RTMP.MaxReaders,
		Log: a.log, Metrics: a.metrics, Now: a.clock.now, ID: a.gate.ID, Via: a.gate.Via, Want: a.want, Elsewhere: a.playElsewhere,
	}
	return struct {
		*gate.Gate
		ingest.Player
	}{a.gate, a.readers}
}

// playElsewhere has what the other process gives of a stream, in an upgrade.
func (a *app) playElsewhere(ctx context.Context, r ingest.Request) (io.ReadCloser, error) {
	n := a.up.other.Load()
	if n == nil {
		return nil, ingest.ErrNotFound
	}
	r.Login, r.Peer, r.TCURL, r.PageURL = nil, nil, "", "" // it was looked at
	asked, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	body, err := n.Play(ctx, asked)
	if errors.Is(err, upgrade.ErrAbsent) {
		return nil, ingest.ErrNotFound
	}
	return body, err
}

// give is what the other process asks for one who plays there.
func (a *app) give(asked []byte) (func(context.Context, io.Writer) error, error) {
	var r ingest.Request
	if err := json.Unmarshal(asked, &r); err != nil {
		return nil, fmt.Errorf("play: %w", err)
	}
	if a.readers == nil {
		return nil, upgrade.ErrAbsent
	}
	write, err := a.readers.Give(r)
	if errors.Is(err, ingest.ErrNotFound) {
		return nil, upgrade.ErrAbsent
	}
	return write, err
}
