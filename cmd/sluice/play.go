package main

import (
	"github.com/sluice-live/sluice/cmd/sluice/gate"
	"github.com/sluice-live/sluice/cmd/sluice/readers"
	"github.com/sluice-live/sluice/ingest"
)

// handler is who answers encoders, and those who play by RTMP.
func (a *app) handler() ingest.Handler {
	if !a.cfg.RTMP.Play {
		return a.gate
	}
	a.readers = &readers.Readers{
		Catalog: a.catalog, Access: a.rules.viewers.Load, Start: readers.Starts(a.cfg.RTMP.PlayStart), Wait: a.cfg.RTMP.PlayWait, Most: a.cfg.RTMP.MaxReaders,
		Log: a.log, Metrics: a.metrics, Now: a.clock.now, ID: a.gate.ID, Via: a.gate.Via, Want: a.want,
	}
	return struct {
		*gate.Gate
		ingest.Player
	}{a.gate, a.readers}
}
