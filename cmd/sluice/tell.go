package main

import (
	"fmt"

	"github.com/sluice-live/sluice/cmd/sluice/hooks"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/httpserve/admin"
)

// tellHooks has those told what happens whom the configuration names.
func (a *app) tellHooks(c config.Hooks) error {
	s := hooks.Settings{URLs: c.URLs}
	for _, text := range c.Secrets {
		secret, err := hooks.ParseSecret(text)
		if err != nil {
			return fmt.Errorf("hooks.secrets: a secret %w", err)
		}
		s.Secrets = append(s.Secrets, secret)
	}
	for _, kind := range c.Events {
		s.Events = append(s.Events, admin.Kind(kind))
	}
	a.hooks.Set(s)
	a.told.Store(&c)
	return nil
}
