package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/httpserve"
	watching "github.com/sluice-live/sluice/httpserve/access"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/web"
)

// rules are who may publish and who may watch. They can be replaced while the
// server runs: whoever asks from then on is judged by the new ones.
type rules struct {
	secret   []byte          // signs passes where the configuration has none, as long as we run
	suffixes access.Suffixes // of qualities, as long as we run

	publishers atomic.Pointer[access.Publishers]
	viewers    atomic.Pointer[watching.Viewers]
	needs      atomic.Pointer[[]web.Need] // of encoders, for people

	// What they were made of, for the one who replaces them.
	mu      sync.Mutex
	publish access.Settings
	watch   watching.Settings
	from    struct {
		publish config.Publish
		watch   config.Watch
	}
}

func newRules(p config.Publish, w config.Watch, a config.ABR) (*rules, error) {
	return rulesBehind(nil, p, w, a)
}

// rulesBehind takes the secret of a process before this one, nil where there is none.
func rulesBehind(secret []byte, p config.Publish, w config.Watch, a config.ABR) (*rules, error) {
	r := &rules{secret: secret, suffixes: a.Suffixes}
	if len(secret) == 0 {
		r.secret = make([]byte, 32)
		rand.Read(r.secret) // it can't fail
	}
	// Tokens are dated by others.
	r.publishers.Store(access.NewPublishers(access.Settings{Now: time.Now}))
	r.viewers.Store(watching.NewViewers(watching.Settings{}, time.Now))
	return r, r.replace(p, w)
}

// webhook is who is told of ends, nil where nobody is.
func (r *rules) webhook() *access.Webhook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.publish.Webhook
}

// replace puts others in the place of the rules: all of them or, where there is
// a fault, none.
func (r *rules) replace(p config.Publish, w config.Watch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	publish, err := publishSettings(p)
	if err != nil {
		return err
	}
	publish.Suffixes = r.suffixes
	watch, err := watchSettings(w)
	if err != nil {
		return err
	}
	if len(watch.Secret) == 0 {
		watch.Secret = r.secret
	}
	// What is the same keeps what it knows: the notifications that wait, and
	// the keys that were fetched.
	if p.Webhook.URL != "" && p.Webhook == r.from.publish.Webhook {
		publish.Webhook = r.publish.Webhook
	}
	if p.JWT.JWKSURL != "" && p.JWT == r.from.publish.JWT {
		publish.Tokens = r.publish.Tokens
	}
	if w.JWT.JWKSURL != "" && w.JWT == r.from.watch.JWT {
		watch.Tokens = r.watch.Tokens
	}
	r.publish, r.watch, r.from.publish, r.from.watch = publish, watch, p, w
	r.publishers.Store(r.publishers.Load().With(publish))
	r.viewers.Store(r.viewers.Load().With(watch))
	needs := needsOf(p)
	r.needs.Store(&needs)
	return nil
}

// in is a configuration with the rules in force in the place of its own.
func (r *rules) in(c config.Config) config.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	watermark := c.Watch.Watermark // how a page looks is no rule
	c.Publish, c.Watch = r.from.publish, r.from.watch
	c.Watch.Watermark = watermark
	return c
}

// needsOf is what an encoder must have one of.
func needsOf(p config.Publish) (needs []web.Need) {
	for _, need := range []struct {
		is   web.Need
		some bool
	}{
		{web.StreamKey, len(p.Keys) > 0},
		{web.Login, len(p.Users) > 0},
		{web.Token, p.JWT.On()},
		{web.Webhook, p.Webhook.URL != ""},
	} {
		if need.some {
			needs = append(needs, need.is)
		}
	}
	return needs
}

// watching is who decides now who may watch, or nil when everybody may.
func (r *rules) watching() httpserve.Viewers {
	if v := r.viewers.Load(); !v.Open() {
		return v
	}
	return nil
}

// obey replaces the rules whenever it is asked to, until ctx ends.
func (a *app) obey(ctx context.Context, h *herald) {
	for {
		h.speakFor(a.rules.webhook())
		select {
		case <-a.again:
			a.manager.Reloading()
			_ = a.readAgain() // it was logged
			a.manager.Ready(a.status())
		case <-a.renew:
			a.up.all.Go(func() { a.upgrade(ctx) })
		case answer := <-a.reload:
			answer <- a.readAgain()
		case <-ctx.Done():
			return
		}
	}
}

// readAgain replaces the rules by what the configuration says now. Who is in
// stays in: an encoder in the middle of a show is not cut for a key that is
// replaced.
func (a *app) readAgain() error {
	c, err := a.reread()
	if err == nil {
		err = a.rules.replace(c.Publish, c.Watch)
	}
	if err == nil {
		err = a.tellHooks(c.Hooks)
	}
	if err != nil {
		a.log.Warn().Err(err).Msg("the configuration was read again and has faults: who may publish and who may watch stays as it was")
		return err
	}
	a.replaceRelays(c)
	others := needRestart(a.cfg, c)
	told := admin.Event{Kind: admin.Reloaded}
	if len(others) > 0 { // whoever asked by the API may not read the log
		told.Text = "other settings have changed, too: they need a restart: " + strings.Join(others, ", ")
	}
	a.feed.Tell(told)
	a.log.Info().Msg("the configuration was read again: who may publish and who may watch is as it says now, and so are pull, push, and who is told what happens")
	if c.Log.Level != a.level { // what an operator has set meanwhile stays
		a.level = c.Log.Level
		setLevel(c.Log)
	}
	if len(others) > 0 {
		a.log.Warn().Strs("settings", others).Msg("other settings have changed, too: they need a restart")
	}
	return nil
}

// needRestart names the settings in which two configurations differ, but for those that
// are read again. Secrets are compared as such: their values are shown to nobody.
func needRestart(a, b config.Config) []string {
	backup := a.Publish // how many may publish a name is no rule of who may
	a.Publish = b.Publish
	a.Publish.Backup, a.Publish.BackupAfter, a.Publish.BackupReturn = backup.Backup, backup.BackupAfter, backup.BackupReturn
	shown := a.Watch.Watermark // how a page looks is no rule
	a.Watch = b.Watch
	a.Watch.Watermark = shown
	a.Hooks = b.Hooks
	a.Log.Level = b.Log.Level
	a.Pull, a.Push = b.Pull, b.Push // as they can be replaced
	return config.Differ(a, b)
}

// herald sends the notifications of the webhook that is in force.
type herald struct {
	lost    func(access.Question, error)
	webhook *access.Webhook // or nil
	stop    context.CancelFunc
	running sync.WaitGroup
}

// speakFor sends what w has to tell from now on. What waits for the one before
// is tried once more.
func (h *herald) speakFor(w *access.Webhook) {
	if w == h.webhook {
		return
	}
	h.quiet()
	h.webhook = w
	if w == nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	h.running.Go(func() { w.Run(ctx, h.lost) })
}

// quiet ends it, but for what was heard by now.
func (h *herald) quiet() {
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// publishSettings is what the configuration says of who may publish, its
// secrets included.
func publishSettings(c config.Publish) (access.Settings, error) {
	s := access.Settings{
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
	if s.From, err = address.ParseNetworks(publishFrom(c)); err != nil {
		return s, err
	}
	if s.Deny, err = address.ParseNetworks(c.Deny); err != nil {
		return s, err
	}
	s.Trusted, err = address.ParseNetworks([]string{"loopback"})
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

func watchSettings(c config.Watch) (s watching.Settings, err error) {
	s = watching.Settings{
		Secret: []byte(c.Secret), Session: c.Session, BindToIP: c.BindAddress, CDNSecret: c.CDNSecret,
		Referers: c.Referers, NeedReferer: c.RequireReferer,
	}
	if s.Keys, err = tokenKeys(c); err != nil {
		return s, err
	}
	if s.From, err = address.ParseNetworks(c.From); err != nil {
		return s, err
	}
	if s.Deny, err = address.ParseNetworks(c.Deny); err != nil {
		return s, err
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

func tokenKeys(c config.Watch) ([]watching.Key, error) {
	var keys []watching.Key
	for _, text := range c.TokenKeys {
		k, err := watching.ParseKey(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}
