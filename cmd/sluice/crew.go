package main

import (
	"errors"

	"github.com/sluice-live/sluice/cmd/sluice/gate"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/packager"
)

// crew lets operators see and switch the publishers that the gate has let in.
type crew struct{ *gate.Gate }

// Contributors is part of admin.Crew.
func (c crew) Contributors(stream packager.StreamName) (all []admin.Contributor) {
	for _, s := range c.Gate.Contributors(stream) {
		all = append(all, admin.Contributor{
			Label: s.Label, Pushed: s.Pushed, Remote: s.Remote.String(), Software: s.Software,
			Began: s.Began, OnAir: s.OnAir, Since: s.Since, Lock: s.Lock, Alone: s.Alone,
		})
	}
	return all
}

// Switch is part of admin.Crew.
func (c crew) Switch(stream packager.StreamName, pushed string) error {
	err := c.Gate.Switch(stream, pushed)
	if errors.Is(err, gate.ErrNobody) {
		return admin.ErrNobody
	}
	return err
}

// between is what is wrong between those who publish a stream now, in sentences.
func (c crew) between(w *packager.Window) []string {
	return admin.Health(w, c.Contributors(w.Stream))
}
