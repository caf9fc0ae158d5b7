package config

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/packager"
)

// A fault is a value that can be read but not used.
type fault struct {
	path  string // the field at fault
	text  string
	other string // the field it clashes with, or empty; text ends with that field's value
}

func (c *Config) faults() []fault {
	var fs faults

	fs.addr("rtmp.addr", c.RTMP.Addr)
	fs.addr("rtmp.tls_addr", c.RTMP.TLSAddr)
	fs.keyPair("rtmp.tls_cert", c.RTMP.TLSCert, "rtmp.tls_key", c.RTMP.TLSKey)
	fs.positive("rtmp.handshake_timeout", c.RTMP.HandshakeTimeout)
	fs.positive("rtmp.publish_timeout", c.RTMP.PublishTimeout)
	fs.positive("rtmp.idle_timeout", c.RTMP.IdleTimeout)
	fs.positive("rtmp.write_timeout", c.RTMP.WriteTimeout)
	fs.positive("rtmp.message_timeout", c.RTMP.MessageTimeout)
	between(&fs, "rtmp.drain_time", c.RTMP.DrainTime, 0, 24*time.Hour)
	between(&fs, "rtmp.upgrade_time", c.RTMP.UpgradeTime, time.Second, 30*24*time.Hour)
	atLeast(&fs, "rtmp.max_bitrate", c.RTMP.MaxBitrate, 0)
	between(&fs, "rtmp.max_message_size", c.RTMP.MaxMessageSize, 1*MiB, 16*MiB)
	between(&fs, "rtmp.max_chunk_streams", c.RTMP.MaxChunkStreams, 1, 65598)
	atLeast(&fs, "rtmp.max_connections", c.RTMP.MaxConnections, 1)
	atLeast(&fs, "rtmp.max_per_address", c.RTMP.MaxPerAddress, 0)
	atLeast(&fs, "rtmp.connection_rate", c.RTMP.ConnectionRate, 0)
	atLeast(&fs, "rtmp.connection_burst", c.RTMP.ConnectionBurst, 1)
	fs.networks("rtmp.unlimited_from", c.RTMP.UnlimitedFrom)
	fs.networks("rtmp.proxy_protocol_from", c.RTMP.ProxyProtocolFrom)
	fs.oneOf("rtmp.play_start", c.RTMP.PlayStart)
	between(&fs, "rtmp.play_wait", c.RTMP.PlayWait, 0, time.Minute)
	atLeast(&fs, "rtmp.max_readers", c.RTMP.MaxReaders, 0)

	fs.publish(c.Publish)
	fs.abr(c.ABR)
	fs.relays(*c)

	fs.addr("http.addr", c.HTTP.Addr)
	fs.addr("http.tls_addr", c.HTTP.TLSAddr)
	fs.keyPair("http.tls_cert", c.HTTP.TLSCert, "http.tls_key", c.HTTP.TLSKey)
	if c.HTTP.TLSAddr != "" && c.HTTP.TLSCert == "" && c.HTTP.TLSKey == "" && len(c.ACME.Domains) == 0 {
		fs.clash("http.tls_addr", "http.tls_cert", "%q needs a certificate, but http.tls_cert is empty", c.HTTP.TLSAddr)
	}
	if c.HTTP.HTTP3 && c.HTTP.TLSAddr == "" {
		fs.clash("http.http3", "http.tls_addr", "is on, but http.tls_addr is empty")
	}
	between(&fs, "http.hold_timeout", c.HTTP.HoldTimeout, 1*time.Second, 8*time.Second)
	fs.positive("http.write_timeout", c.HTTP.WriteTimeout)
	atLeast(&fs, "http.max_connections", c.HTTP.MaxConnections, 1)
	atLeast(&fs, "http.max_per_address", c.HTTP.MaxPerAddress, 0)
	atLeast(&fs, "http.max_waits_per_address", c.HTTP.MaxWaitsPerAddress, 0)
	atLeast(&fs, "http.max_waits_per_stream", c.HTTP.MaxWaitsPerStream, 0)
	fs.networks("http.unlimited_from", c.HTTP.UnlimitedFrom)
	fs.networks("http.forwarded_from", c.HTTP.ForwardedFrom)
	fs.networks("http.proxy_protocol_from", c.HTTP.ProxyProtocolFrom)

	fs.watch(c.Watch)

	fs.addr("admin.addr", c.Admin.Addr)
	fs.adminToken(c.Admin)

	fs.hooks(c.Hooks)

	fs.acme(c.ACME)

	between(&fs, "window.segments", c.Window.Segments, 3, 1000)
	between(&fs, "window.segment_min_duration", c.Window.SegmentMinDuration, 1*time.Second, 30*time.Second)
	if c.Window.SegmentMaxDuration < c.Window.SegmentMinDuration {
		fs.clash("window.segment_max_duration", "window.segment_min_duration",
			"%v is shorter than window.segment_min_duration %v", c.Window.SegmentMaxDuration, c.Window.SegmentMinDuration)
	}
	if t := c.Window.TargetDuration; t != 0 {
		if t < 0 || t%time.Second != 0 {
			fs.add("window.target_duration", "%v is not a whole number of seconds", t)
		} else if t < c.Window.SegmentMinDuration {
			fs.clash("window.target_duration", "window.segment_min_duration",
				"%v is shorter than window.segment_min_duration %v", t, c.Window.SegmentMinDuration)
		}
	}
	between(&fs, "window.part_duration", c.Window.PartDuration, 100*time.Millisecond, 2*time.Second)
	if c.Window.PartDuration > c.Window.SegmentMinDuration {
		fs.clash("window.part_duration", "window.segment_min_duration",
			"%v is longer than window.segment_min_duration %v", c.Window.PartDuration, c.Window.SegmentMinDuration)
	}
	atLeast(&fs, "window.max_stream_memory", c.Window.MaxStreamMemory, 1*MiB)
	if c.Window.MaxMemory != 0 {
		atLeast(&fs, "window.max_memory", c.Window.MaxMemory, 1*MiB)
	}
	between(&fs, "window.grace", c.Window.Grace, 0, 5*time.Minute)
	atLeast(&fs, "window.linger", c.Window.Linger, 60*time.Second)

	fs.oneOf("log.level", c.Log.Level)
	fs.oneOf("log.format", c.Log.Format)

	return fs
}

func (fs *faults) watch(c Watch) {
	if len(c.TokenKeys) > 2 {
		fs.add("watch.token_keys", "has %d keys; two are enough to change from one to the other", len(c.TokenKeys))
	}
	for i, k := range c.TokenKeys {
		// The key itself is not for the log.
		if b, err := hex.DecodeString(k); err != nil || len(b) < 16 {
			fs.add("watch.token_keys", "key %d is not at least 32 hex digits: `openssl rand -hex 32` makes one", i+1)
		}
	}
	fs.jwt("watch.jwt", c.JWT)
	fs.url("watch.webhook.url", c.Webhook.URL)
	fs.oneOf("watch.webhook.style", c.Webhook.Style)
	fs.secret("watch.secret", c.Secret, 16)
	fs.secret("watch.cdn_secret", c.CDNSecret, 16)
	between(fs, "watch.session", c.Session, time.Minute, 30*24*time.Hour)
	fs.networks("watch.from", c.From)
	fs.networks("watch.deny", c.Deny)
	if c.RequireReferer && len(c.Referers) == 0 {
		fs.clash("watch.require_referer", "watch.referers", "is on, but watch.referers is empty")
	}
	for _, h := range c.Referers {
		if u, err := url.Parse("//" + h); err != nil || h == "" || u.Host != h || u.Port() != "" {
			fs.add("watch.referers", "%q is not a host such as example.com or *.example.com", h)
		}
	}
}

// secret names no secret: they are not for the log.
func (fs *faults) secret(path, s string, least int) {
	if s != "" && len(s) < least {
		fs.add(path, "is shorter than %d characters: `openssl rand -hex 32` makes a good one", least)
	}
}

// faults collects what the rules below find.
type faults []fault

func (fs *faults) add(path, format string, args ...any) {
	*fs = append(*fs, fault{path: path, text: fmt.Sprintf(format, args...)})
}

func (fs *faults) clash(path, other, format string, args ...any) {
	*fs = append(*fs, fault{path: path, other: other, text: fmt.Sprintf(format, args...)})
}

func (fs *faults) addr(path, addr string) {
	if addr == "" {
		return
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		fs.add(path, "%q is not an address such as :8080 or 127.0.0.1:8080", addr)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		fs.add(path, "%q has a port that is not between 0 and 65535", addr)
	}
}

func (fs *faults) keyPair(certPath, cert, keyPath, key string) {
	switch {
	case cert != "" && key == "":
		fs.clash(keyPath, certPath, "is empty, but %s is %q", certPath, cert)
	case key != "" && cert == "":
		fs.clash(certPath, keyPath, "is empty, but %s is %q", keyPath, key)
	}
	fs.readable(certPath, cert)
	fs.readable(keyPath, key)
}

func (fs *faults) readable(path, file string) {
	if file == "" {
		return
	}
	// Opening is not enough: a directory opens too.
	if _, err := os.ReadFile(file); err != nil {
		fs.add(path, "%v", err)
	}
}

func (fs *faults) publish(p Publish) {
	fs.networks("publish.from", p.From)
	fs.networks("publish.deny", p.Deny)
	for _, name := range slices.Sorted(maps.Keys(p.Keys)) {
		if err := CheckKeyName(name); err != nil {
			fs.add("publish.keys", "%v", err)
		}
		// The value may be a key by mistake: it isn't repeated.
		if !keyHash.MatchString(p.Keys[name]) {
			fs.add("publish.keys", "%s: is not a hash of 64 hex digits; sluice key %s makes a key and its hash", name, name)
		}
	}
	for _, user := range slices.Sorted(maps.Keys(p.Users)) {
		if !userName.MatchString(user) {
			fs.add("publish.users", "%q is not a user in letters, digits and - _ . @, at most 64", user)
		}
		switch password := p.Users[user]; {
		case password == "":
			fs.add("publish.users", "%s: has no password", user)
		case strings.HasPrefix(password, "md5:") && !saltedPassword.MatchString(password):
			fs.add("publish.users", "%s: is not md5:SALT:HASH as sluice key -user %s prints it", user, user)
		}
	}
	fs.oneOf("publish.login", p.Login)
	if p.Login == "always" && len(p.Users) == 0 {
		fs.clash("publish.login", "publish.users", "is always, but publish.users is empty")
	}
	between(fs, "publish.backup_after", p.BackupAfter, 250*time.Millisecond, 10*time.Second)
	if p.BackupReturn && !p.Backup {
		fs.clash("publish.backup_return", "publish.backup", "is on, but publish.backup is off")
	}
	fs.jwt("publish.jwt", p.JWT)
	fs.url("publish.webhook.url", p.Webhook.URL)
	fs.oneOf("publish.webhook.style", p.Webhook.Style)
}

// CheckKeyName tells whether a stream key can be for that: NAME, in any app, or APP/NAME, of a stream
// that there can be.
func CheckKeyName(s string) error {
	app, name, ok := strings.Cut(s, "/")
	if !ok {
		app, name = "live", s
	}
	if _, err := packager.ParseStreamName(app, name); err != nil {
		return fmt.Errorf("%q is not NAME or APP/NAME: %w", s, err)
	}
	return nil
}

var (
	userName       = regexp.MustCompile(`^[A-Za-z0-9._@-]{1,64}$`)
	keyHash        = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)
	saltedPassword = regexp.MustCompile(`^md5:[A-Za-z0-9._@-]{1,64}:[A-Za-z0-9+/]{22}==$`)
)

func (fs *faults) jwt(path string, j JWT) {
	const least = 32
	if j.Secret != "" && len(j.Secret) < least {
		fs.add(path+".secret", "has %d bytes: less than %d can be guessed by whoever has seen a token", len(j.Secret), least)
	}
	switch {
	case j.Secret != "" && j.SecretFile != "":
		fs.clash(path+".secret_file", path+".secret", "is set, but so is %s.secret", path)
	case j.JWKSURL != "" && j.Secret != "":
		fs.clash(path+".jwks_url", path+".secret", "is set, but so is %s.secret", path)
	case j.JWKSURL != "" && j.SecretFile != "":
		fs.clash(path+".jwks_url", path+".secret_file", "is set, but so is %s.secret_file", path)
	}
	if j.SecretFile != "" {
		if b, err := os.ReadFile(j.SecretFile); err != nil {
			fs.add(path+".secret_file", "%v", err)
		} else if n := len(bytes.TrimRight(b, "\r\n")); n < least {
			fs.add(path+".secret_file", "has %d bytes: less than %d can be guessed by whoever has seen a token", n, least)
		}
	}
	fs.url(path+".jwks_url", j.JWKSURL)
	for name, value := range map[string]string{".issuer": j.Issuer, ".audience": j.Audience} {
		if value != "" && !j.On() {
			fs.add(path+name, "is set, but no secret and no jwks_url: no token would count")
		}
	}
}

func (fs *faults) url(path, s string) {
	if s == "" {
		return
	}
	if _, why := parseURL(s, "http", "https"); why != "" {
		fs.add(path, "is not a URL such as https://example.com/path: %s", why)
	}
}

// parseURL tells why a text is no URL of these schemes. It doesn't repeat the text, which may
// hold a password, also where its scheme or its port should be.
func parseURL(s string, schemes ...string) (u *url.URL, why string) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, "its port is no number, a % in it has no two hex digits behind it, or it has a character that no URL has"
	case !slices.Contains(schemes, u.Scheme) || !strings.Contains(s, "://"):
		return nil, "it doesn't begin with " + strings.Join(schemes, ":// or ") + "://"
	case u.Hostname() == "":
		return nil, "it has no host behind ://"
	}
	return u, ""
}

func (fs *faults) networks(path string, list []string) {
	for _, entry := range list {
		if _, err := address.ParseNetworks([]string{entry}); err != nil {
			fs.add(path, "%v", err)
		}
	}
}

var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*$`)

func (fs *faults) acme(a ACME) {
	for _, d := range a.Domains {
		if !domainName.MatchString(d) {
			fs.add("acme.domains", "%q is not a name such as live.example.com", d)
		}
	}
	if a.Cache == "" {
		fs.add("acme.cache", "is empty: certificates would be asked for at each start, which authorities don't allow")
	}
	fs.url("acme.directory", a.Directory)
}

// adminToken says nothing of the token but its length: it is a secret.
func (fs *faults) adminToken(a Admin) {
	const shortest = 16
	switch host, _, err := net.SplitHostPort(a.Addr); {
	case a.Token != "" && len(a.Token) < shortest:
		fs.add("admin.token", "has %d characters: less than %d can be guessed", len(a.Token), shortest)
	case strings.ContainsFunc(a.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		fs.add("admin.token", "has other characters than ASCII's letters, digits and signs")
	case a.Token == "" && err == nil && host != "localhost" && !isLoopback(host):
		fs.clash("admin.addr", "admin.token", "%q can be reached from elsewhere, but admin.token is empty", a.Addr)
	}
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func (fs *faults) positive(path string, d time.Duration) {
	if d <= 0 {
		fs.add(path, "%v is not more than 0s", d)
	}
}

// words are what those settings can be that are words.
var words = map[string][]string{
	"rtmp.play_start":       {"fast", "live"},
	"publish.login":         {"auto", "always", "never"},
	"publish.webhook.style": {"json", "form"},
	"watch.webhook.style":   {"json", "form"},
	"hooks.events":          HookEvents,
	"log.level":             {"debug", "info", "warn", "error"},
	"log.format":            {"console", "json"},
}

func (fs *faults) oneOf(path, word string) {
	if all := words[path]; !slices.Contains(all, word) {
		fs.add(path, "%q is not one of %s", word, strings.Join(all, ", "))
	}
}

func between[T cmp.Ordered](fs *faults, path string, v, low, high T) {
	if v < low || v > high {
		fs.add(path, "%v is not between %v and %v", v, low, high)
	}
}

func atLeast[T cmp.Ordered](fs *faults, path string, v, low T) {
	if v < low {
		fs.add(path, "%v is less than %v", v, low)
	}
}
