// Package config reads what the operator wants: defaults < file < environment < flags.
//
// What a setting does, and its default, is told once, in sluice.yaml: help, flags and Default
// take it from there. Beside the fields stands what an operator need not know: why it is so.
package config

import (
	_ "embed"
	"time"
)

// Sample is the sluice.yaml that ships with sluice: every field, explained, at its default.
//
//go:embed sluice.yaml
var Sample []byte

// Config is everything an operator can set. The yaml tags along the way to a field make its path;
// rtmp.addr is the key addr under rtmp in the file, SLUICE_RTMP_ADDR and -rtmp-addr.
//
// Every address is host:port, an empty host means all interfaces, port 0 means any free port, and
// an empty address means off. File names are relative to the working directory.
type Config struct {
	RTMP    RTMP    `yaml:"rtmp"`
	Publish Publish `yaml:"publish"`
	ABR     ABR     `yaml:"abr"`

	Pull map[string]string   `yaml:"pull"` // URLs by APP/NAME
	Push map[string][]string `yaml:"push"`

	HTTP   HTTP   `yaml:"http"`
	Watch  Watch  `yaml:"watch"`
	ACME   ACME   `yaml:"acme"`
	Admin  Admin  `yaml:"admin"`
	Hooks  Hooks  `yaml:"hooks"`
	Window Window `yaml:"window"`
	Log    Log    `yaml:"log"`
}

// RTMP says where encoders connect, and how much a publisher may ask of us.
type RTMP struct {
	Addr              string        `yaml:"addr"`
	TLSAddr           string        `yaml:"tls_addr"` // not empty: without a certificate it costs nobody anything
	TLSCert           string        `yaml:"tls_cert"`
	TLSKey            string        `yaml:"tls_key"`
	HandshakeTimeout  time.Duration `yaml:"handshake_timeout"` // three round trips on a bad line, and little enough to shed port scanners
	PublishTimeout    time.Duration `yaml:"publish_timeout"`   // some encoders pause between connect and publish
	IdleTimeout       time.Duration `yaml:"idle_timeout"`      // outlasts a change of mobile cell
	WriteTimeout      time.Duration `yaml:"write_timeout"`
	MessageTimeout    time.Duration `yaml:"message_timeout"`   // on the slowest line a keyframe arrives sooner
	DrainTime         time.Duration `yaml:"drain_time"`        // none: who stops a server by hand doesn't want to wait
	UpgradeTime       time.Duration `yaml:"upgrade_time"`      // the longest event of a day ends in it, and no old version stays for ever
	MaxBitrate        int           `yaml:"max_bitrate"`       // more than any encoder for the web makes
	MaxMessageSize    Size          `yaml:"max_message_size"`  // a keyframe of 4K fits; the wire has 24 bits for the length
	MaxChunkStreams   int           `yaml:"max_chunk_streams"` // each holds state; the protocol would allow 65,598
	MaxConnections    int           `yaml:"max_connections"`
	MaxPerAddress     int           `yaml:"max_per_address"` // a studio behind one address has a few encoders, a flood has hundreds
	ConnectionRate    int           `yaml:"connection_rate"` // encoders come back every few seconds
	ConnectionBurst   int           `yaml:"connection_burst"`
	UnlimitedFrom     []string      `yaml:"unlimited_from"` // what comes from the internet has addresses of its own
	ProxyProtocolFrom []string      `yaml:"proxy_protocol_from"`
	Tunnel            bool          `yaml:"tunnel"`     // off: it takes bodies where nothing else does
	RTMPE             bool          `yaml:"rtmpe"`      // off: it looks like protection, and is none
	Play              bool          `yaml:"play"`       // who may is for watch to say
	PlayStart         string        `yaml:"play_start"` // most wait less for a picture than they'd gain
	PlayWait          time.Duration `yaml:"play_wait"`  // shorter than readers' own patience
	MaxReaders        int           `yaml:"max_readers"`
}

// Publish says who may publish. With Keys, Users, JWT or Webhook, whoever satisfies any one of them
// may, and nobody else; with none of them, whoever is in the networks of From.
type Publish struct {
	From  []string          `yaml:"from"` // empty is private: a newcomer needs no setup, and nobody on the internet gets in
	Deny  []string          `yaml:"deny"`
	Keys  map[string]string `yaml:"keys"` // hashes by NAME or APP/NAME
	Users map[string]string `yaml:"users"`
	Login string            `yaml:"login"`

	Backup       bool          `yaml:"backup"`        // off: who mistypes a name is told, and doesn't stand by for somebody else
	BackupAfter  time.Duration `yaml:"backup_after"`  // longer than what a bad line holds up now and then
	BackupReturn bool          `yaml:"backup_return"` // off: whoever has failed once may do so again

	JWT     JWT     `yaml:"jwt"`
	Webhook Webhook `yaml:"webhook"`
}

// Open tells whether the network is all that matters.
func (p Publish) Open() bool {
	return len(p.Keys) == 0 && len(p.Users) == 0 && !p.JWT.On() && p.Webhook.URL == ""
}

// JWT says which tokens count. At most one of Secret, SecretFile and JWKSURL is set.
type JWT struct {
	Secret     string `yaml:"secret"` // as long as RFC 7518 has it: less can be guessed by whoever has seen a token
	SecretFile string `yaml:"secret_file"`
	JWKSURL    string `yaml:"jwks_url"`
	Issuer     string `yaml:"issuer"`
	Audience   string `yaml:"audience"`
}

// On tells whether tokens count.
func (j JWT) On() bool { return j.Secret != "" || j.SecretFile != "" || j.JWKSURL != "" }

// Webhook says whom to ask about publications.
type Webhook struct {
	URL        string `yaml:"url"`
	Style      string `yaml:"style"`
	Secret     string `yaml:"secret"`
	NotifyDone bool   `yaml:"notify_done"` // off: not everything that is asked expects to be told
}

// ABR says which pushes are qualities of one stream.
type ABR struct {
	Suffixes []string `yaml:"suffixes"` // none: a name is a stream, whatever it ends with
	Audio    string   `yaml:"audio"`
}

// HTTP says where viewers come in and how long one may hold a request.
type HTTP struct {
	Addr               string        `yaml:"addr"`     // a port that needs no privileges
	TLSAddr            string        `yaml:"tls_addr"` // off: most run behind a CDN or proxy that ends TLS
	TLSCert            string        `yaml:"tls_cert"`
	TLSKey             string        `yaml:"tls_key"`
	HTTP3              bool          `yaml:"http3"`                 // off: it costs more CPU than TCP, too
	HoldTimeout        time.Duration `yaml:"hold_timeout"`          // the answer has to travel, too
	WriteTimeout       time.Duration `yaml:"write_timeout"`         // a phone in a tunnel comes back, a dead peer does not hold memory for long
	MaxConnections     int           `yaml:"max_connections"`       // an idle one costs less than 32 KiB
	MaxPerAddress      int           `yaml:"max_per_address"`       // browsers open six each over HTTP/1.1: thirty viewers behind one address fit
	MaxWaitsPerAddress int           `yaml:"max_waits_per_address"` // a viewer has two or three
	MaxWaitsPerStream  int           `yaml:"max_waits_per_stream"`  // more viewers of one stream want a cache in between, which joins their requests
	UnlimitedFrom      []string      `yaml:"unlimited_from"`        // a proxy or a container bridge stands for all its viewers
	ForwardedFrom      []string      `yaml:"forwarded_from"`        // none: anybody can write such a header
	ProxyProtocolFrom  []string      `yaml:"proxy_protocol_from"`
}

// Watch says who may watch. Everybody may, by default: a newcomer wants to see a picture. With
// TokenKeys, JWT or Webhook, viewers need a token; with the lists alone, none.
type Watch struct {
	TokenKeys      []string      `yaml:"token_keys"` // at most two: a new one is brought in while tokens by the old one are about
	Secret         string        `yaml:"secret"`
	Session        time.Duration `yaml:"session"` // long enough for any show, and who leaves a subscription is out by tomorrow
	BindAddress    bool          `yaml:"bind_address"`
	From           []string      `yaml:"from"`
	Deny           []string      `yaml:"deny"`
	Referers       []string      `yaml:"referers"` // the server's own is sure by its certificate or address: Host can be anybody's name that leads here
	RequireReferer bool          `yaml:"require_referer"`
	Watermark      bool          `yaml:"watermark"`
	CDNSecret      string        `yaml:"cdn_secret"`
	JWT            JWT           `yaml:"jwt"`
	Webhook        WatchWebhook  `yaml:"webhook"`
}

// WatchWebhook says whom to ask about viewers.
type WatchWebhook struct {
	URL    string `yaml:"url"`
	Style  string `yaml:"style"`
	Secret string `yaml:"secret"`
}

// ACME says how certificates are had by themselves, for listeners with TLS that have no certificate
// file.
type ACME struct {
	Domains   []string `yaml:"domains"`
	Cache     string   `yaml:"cache"` // authorities give few certificates a week
	Email     string   `yaml:"email"`
	Directory string   `yaml:"directory"`
}

// Admin says where the dashboard, metrics, health checks and profiles are.
type Admin struct {
	Addr  string `yaml:"addr"` // this machine only
	Token string `yaml:"token"`
}

// Hooks says whom to tell what happens.
type Hooks struct {
	URLs    []string `yaml:"urls"`
	Secrets []string `yaml:"secrets"` // at most two: a new one is brought in while receivers still go by the old one
	Events  []string `yaml:"events"`  // not refused: strangers can make as many of those as they like
}

// Window says what of a stream can be watched, and how it is cut.
type Window struct {
	Segments           int           `yaml:"segments"`             // of 2 s: a viewer can stall for 16 s without losing its place
	SegmentMinDuration time.Duration `yaml:"segment_min_duration"` // not less than 1s: sequence numbers start from the clock, and a restart could use one again
	SegmentMaxDuration time.Duration `yaml:"segment_max_duration"` // until the target duration is known; from then on that is the limit
	TargetDuration     time.Duration `yaml:"target_duration"`
	PartDuration       time.Duration `yaml:"part_duration"`     // each part is a request per viewer
	FrameChunks        bool          `yaml:"frame_chunks"`      // off: about 130 bytes and a wake-up per frame and viewer; HLS viewers see no difference
	MaxStreamMemory    Size          `yaml:"max_stream_memory"` // 8 segments of 2 s at 20 Mbit/s, three times over: retired segments stay for a while
	MaxMemory          Size          `yaml:"max_memory"`
	Grace              time.Duration `yaml:"grace"`  // encoders come back within seconds
	Linger             time.Duration `yaml:"linger"` // viewers reach the end, and an encoder that restarts finds its viewers waiting
}

// Log says how much sluice tells and for whose eyes.
type Log struct {
	Level  string `yaml:"level"` // info: the steps in the life of each connection, nothing per frame
	Format string `yaml:"format"`
}
