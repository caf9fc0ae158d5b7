package main

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/sluice-live/sluice/access"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/httpserve"
)

// viewers returns who decides what the configuration says of watching, or nil
// when everybody may.
func (a *app) viewers(c config.Watch) (httpserve.Viewers, error) {
	s, err := watchSettings(c)
	if err != nil {
		return nil, err
	}
	v := access.NewViewers(s, time.Now) // tokens are dated by others
	if !v.NeedsPass() && openToAll(c) {
		return nil, nil
	}
	if v.NeedsPass() && c.Secret == "" {
		a.log.Info().Msg("watch.secret is empty: after a restart, viewers must show a token again")
	}
	return v, nil
}

func openToAll(c config.Watch) bool {
	return len(c.From) == 0 && len(c.Deny) == 0 && len(c.Referers) == 0
}

func watchSettings(c config.Watch) (s access.WatchSettings, err error) {
	s = access.WatchSettings{
		Secret: []byte(c.Secret), Session: c.Session, BindToIP: c.BindAddress, CDNSecret: c.CDNSecret,
		Referers: c.Referers, NeedReferer: c.RequireReferer,
	}
	if s.Keys, err = tokenKeys(c); err != nil {
		return s, err
	}
	if s.From, err = config.ParseNetworks(c.From); err != nil {
		return s, err
	}
	if s.Deny, err = config.ParseNetworks(c.Deny); err != nil {
		return s, err
	}
	if len(s.Secret) == 0 {
		s.Secret = make([]byte, 32)
		rand.Read(s.Secret) // it can't fail
	}
	if c.JWT.On() {
		if s.Tokens, err = verifier(c.JWT); err != nil {
			return s, fmt.Errorf("watch.jwt.secret_file: %w", err)
		}
	}
	if c.Webhook.URL != "" {
		s.Webhook = access.NewWebhook(c.Webhook.URL, access.Style(c.Webhook.Style), []byte(c.Webhook.Secret), time.Now)
	}
	return s, nil
}

func tokenKeys(c config.Watch) ([]access.Key, error) {
	var keys []access.Key
	for _, text := range c.TokenKeys {
		k, err := access.ParseKey(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}
