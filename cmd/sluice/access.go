package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sluice-live/sluice/access"
	"github.com/sluice-live/sluice/config"
)

// publishers is what the configuration says of who may publish. Its secrets
// are read here, when the server starts.
func publishers(c config.Publish) (access.PublishSettings, error) {
	s := access.PublishSettings{
		Keys:   access.Keys{},
		Users:  access.Users{},
		Login:  access.Login(c.Login),
		Notify: c.Webhook.NotifyDone,
		Now:    time.Now, // tokens are dated by others
	}
	for name, hash := range c.Keys {
		h, err := access.ParseKeyHash(hash)
		if err != nil {
			return s, fmt.Errorf("publish.keys: %s: %w", name, err)
		}
		s.Keys[name] = h
	}
	for user, password := range c.Users {
		p, err := access.ParsePassword(password)
		if err != nil {
			return s, fmt.Errorf("publish.users: %s: %w", user, err)
		}
		s.Users[user] = p
	}
	if c.JWT.On() {
		var err error
		if s.Tokens, err = verifier(c.JWT); err != nil {
			return s, fmt.Errorf("publish.jwt.secret_file: %w", err)
		}
	}
	if c.Webhook.URL != "" {
		s.Webhook = access.NewWebhook(c.Webhook.URL, access.Style(c.Webhook.Style), []byte(c.Webhook.Secret), time.Now)
	}
	var err error
	if s.From, err = config.ParseNetworks(publishFrom(c)); err != nil {
		return s, err
	}
	if s.Deny, err = config.ParseNetworks(c.Deny); err != nil {
		return s, err
	}
	s.Trusted, err = config.ParseNetworks([]string{"loopback"})
	return s, err
}

// publishFrom is what an empty list stands for: who has something to show may
// come from anywhere, else the network is all there is to go by.
func publishFrom(c config.Publish) []string {
	switch {
	case len(c.From) > 0:
		return c.From
	case c.Open():
		return []string{"private"}
	}
	return []string{"any"}
}

// secretOf reads a secret that is in a file, as container platforms have it.
func secretOf(secret, file string) ([]byte, error) {
	if file == "" {
		return []byte(secret), nil
	}
	b, err := os.ReadFile(file)
	return []byte(strings.TrimRight(string(b), "\r\n")), err
}

func verifier(c config.JWT) (*access.Verifier, error) {
	secret, err := secretOf(c.Secret, c.SecretFile)
	if err != nil {
		return nil, err
	}
	return access.NewVerifier(access.JWT{Secret: secret, JWKS: c.JWKSURL, Issuer: c.Issuer, Audience: c.Audience}), nil
}
