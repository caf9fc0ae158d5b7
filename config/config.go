// Package config reads what the operator wants: defaults < file < environment < flags.
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
	RTMP    RTMP    `yaml:"rtmp" usage:"Publishers (RTMP)"`
	Publish Publish `yaml:"publish" usage:"Who may publish"`
	HTTP    HTTP    `yaml:"http" usage:"Viewers (HTTP)"`
	Watch   Watch   `yaml:"watch" usage:"Who may watch"`
	ACME    ACME    `yaml:"acme" usage:"Certificates by ACME (Let's Encrypt and others)"`
	Admin   Admin   `yaml:"admin" usage:"Operators (HTTP)"`
	Window  Window  `yaml:"window" usage:"The live window"`
	Log     Log     `yaml:"log" usage:"Log"`
}

// RTMP says where encoders connect, and how much a publisher may ask of us.
type RTMP struct {
	// Addr is the RTMP listen address. Default ":1935", the port every encoder assumes.
	Addr string `yaml:"addr" usage:"RTMP listen address, empty = off"`

	// TLSAddr is the RTMPS listen address. Default ":1936". It is used only when a certificate is
	// set, so a default other than empty costs nobody anything.
	TLSAddr string `yaml:"tls_addr" usage:"RTMPS listen address, used with a certificate"`

	// TLSCert is a PEM file with the certificate chain for RTMPS, reloaded when it changes so that
	// a renewal needs no restart. Default "": no RTMPS. Goes with TLSKey.
	TLSCert string `yaml:"tls_cert" usage:"PEM certificate chain for RTMPS"`

	// TLSKey is a PEM file with the private key of TLSCert. Default "".
	TLSKey string `yaml:"tls_key" usage:"PEM private key for RTMPS"`

	// HandshakeTimeout is the longest a peer may take from accept to the end of the handshake.
	// Default 5s: three round trips on a bad line, and little enough to shed port scanners.
	HandshakeTimeout time.Duration `yaml:"handshake_timeout" usage:"longest handshake"`

	// PublishTimeout is the longest a peer may take from the end of the handshake to a publish that
	// was accepted. Default 10s: some encoders pause between connect and publish.
	PublishTimeout time.Duration `yaml:"publish_timeout" usage:"longest wait from handshake to publish"`

	// IdleTimeout is how long a publisher may send no byte before it counts as gone. Default 15s:
	// outlasts a change of mobile cell, and still frees the stream name for a reconnect.
	IdleTimeout time.Duration `yaml:"idle_timeout" usage:"longest silence of a publisher"`

	// WriteTimeout is the longest one write to a publisher may take. Default 10s: our replies are
	// small, so a peer that takes none for that long is not reading.
	WriteTimeout time.Duration `yaml:"write_timeout" usage:"longest write to a publisher"`

	// MessageTimeout is the longest a publisher may take from one complete message to the next while
	// its bytes trickle in. Default 30s: on the slowest line a keyframe arrives sooner.
	MessageTimeout time.Duration `yaml:"message_timeout" usage:"longest a message may take to arrive"`

	// MaxBitrate bounds what one publisher sends, in kbit/s. Default 50000, 0 for no bound: more than
	// any encoder for the web makes. Who was held up may catch up.
	MaxBitrate int `yaml:"max_bitrate" usage:"most kbit/s of one publisher, 0 = any"`

	// MaxMessageSize bounds one RTMP message, thus what one connection can make us hold. Default
	// 10MiB, 1MiB to 16MiB: a keyframe of 4K video fits, and the wire has 24 bits for the length.
	MaxMessageSize Size `yaml:"max_message_size" usage:"largest RTMP message"`

	// MaxChunkStreams bounds the chunk streams a connection may open; each holds state. Default 64:
	// encoders use fewer than ten, the protocol would allow 65,598.
	MaxChunkStreams int `yaml:"max_chunk_streams" usage:"most chunk streams in one connection"`

	// MaxConnections bounds the connections open at once, published or not. Default 2000: keeps
	// memory and descriptors bounded whatever the network does.
	MaxConnections int `yaml:"max_connections" usage:"most connections at once"`

	// MaxPerAddress bounds those of one IPv4 address or IPv6 /64. Default 20: a studio behind
	// one address has a few encoders, a flood has hundreds. 0 for no bound.
	MaxPerAddress int `yaml:"max_per_address" usage:"most connections from one address, 0 = any"`

	// ConnectionRate bounds the new connections per second of one address, and ConnectionBurst how many
	// may come at once. Default 10 and 20: encoders come back every few seconds. 0 for no bound. Both bound
	// its publications, too: some encoders publish again on an open connection.
	ConnectionRate int `yaml:"connection_rate" usage:"new connections per second from one address, 0 = any"`

	// ConnectionBurst goes with ConnectionRate. Default 20.
	ConnectionBurst int `yaml:"connection_burst" usage:"new connections at once from one address"`

	// UnlimitedFrom lists the networks whose addresses are not bound one by one, only by
	// MaxConnections. Default "private": behind a proxy, a container bridge or in a lab, one private
	// address stands for many peers; what comes from the internet has addresses of its own.
	UnlimitedFrom []string `yaml:"unlimited_from" usage:"networks without limits per address"`

	// ProxyProtocolFrom lists the proxies that begin each connection with a PROXY protocol header,
	// version 1 or 2. They must, and nobody else may. Default none.
	ProxyProtocolFrom []string `yaml:"proxy_protocol_from" usage:"proxies that send the PROXY protocol"`
}

// Publish says who may publish. With Keys, Users, JWT or Webhook, whoever satisfies any one of them
// may, and nobody else; with none of them, whoever is in the networks of From.
type Publish struct {
	// From lists the networks that may publish: CIDRs or the words address.ParseNetworks knows. Default empty,
	// which means private where there is nothing else to go by, so that a newcomer needs no setup and
	// nobody on the internet gets in; and any with keys, users, tokens or a webhook.
	From []string `yaml:"from" usage:"networks that may: CIDRs, loopback, private, any"`

	// Deny lists networks that may not publish, whatever they have. Default empty.
	Deny []string `yaml:"deny" usage:"networks that may not, whatever they have"`

	// Keys has the SHA-256 of a stream key for each NAME or APP/NAME: the encoder sends the key,
	// viewers see the name. A NAME is one in any app but where APP/NAME has a key of its own.
	// Default empty. "sluice key NAME" makes both.
	Keys map[string]string `yaml:"keys" usage:"NAME or APP/NAME = hash of its stream key"`

	// Users has a password for each user, or what "sluice key -user NAME" prints of one. Default
	// empty. A user may publish any stream.
	Users map[string]string `yaml:"users" usage:"user = password, for encoders that log in"`

	// Login says when encoders are refused until they log in with user and password by the Adobe
	// challenge: auto, always or never. Default "auto", which is when there are users and nothing else.
	Login string `yaml:"login" usage:"ask encoders to log in: auto, always or never"`

	JWT     JWT     `yaml:"jwt" usage:"Who may publish: tokens"`
	Webhook Webhook `yaml:"webhook" usage:"Who may publish: a webhook"`
}

// Open tells whether the network is all that matters.
func (p Publish) Open() bool {
	return len(p.Keys) == 0 && len(p.Users) == 0 && !p.JWT.On() && p.Webhook.URL == ""
}

// JWT says which tokens count. At most one of Secret, SecretFile and JWKSURL is set.
type JWT struct {
	// Secret signs tokens with HS256. Default "". At least 32 bytes, as RFC 7518 has it: less can be
	// guessed by whoever has seen a token.
	Secret string `yaml:"secret" usage:"secret for HS256, at least 32 bytes"`

	// SecretFile is a file with the secret. Default "".
	SecretFile string `yaml:"secret_file" usage:"file with the secret"`

	// JWKSURL has the public keys for RS256, ES256 and EdDSA. Default "".
	JWKSURL string `yaml:"jwks_url" usage:"URL of the keys for RS256, ES256 and EdDSA"`

	// Issuer is what the claim iss must be. Default "": anything.
	Issuer string `yaml:"issuer" usage:"what the claim iss must be, empty = anything"`

	// Audience is what the claim aud must have. Default "": anything.
	Audience string `yaml:"audience" usage:"what the claim aud must have, empty = anything"`
}

// On tells whether tokens count.
func (j JWT) On() bool { return j.Secret != "" || j.SecretFile != "" || j.JWKSURL != "" }

// Webhook says whom to ask.
type Webhook struct {
	// URL is asked by POST, once for each publication. Default "": nobody is asked.
	URL string `yaml:"url" usage:"URL to ask, empty = none"`

	// Style is json, or form as nginx-rtmp has it. Default "json".
	Style string `yaml:"style" usage:"json, or form as nginx-rtmp has it"`

	// Secret signs the questions. Default "": unsigned.
	Secret string `yaml:"secret" usage:"secret that signs the questions, empty = unsigned"`

	// NotifyDone also tells the webhook when a stream that it let in is over. Default false: not
	// everything that is asked expects to be told.
	NotifyDone bool `yaml:"notify_done" usage:"also tell when a stream that it let in is over"`
}

// HTTP says where viewers come in and how long one may hold a request.
type HTTP struct {
	// Addr is the HTTP listen address for viewers. Default ":8080": needs no privileges.
	Addr string `yaml:"addr" usage:"HTTP listen address, empty = off"`

	// TLSAddr is the HTTPS listen address for viewers. Default "": most run behind a CDN or proxy
	// that ends TLS. Needs TLSCert and TLSKey.
	TLSAddr string `yaml:"tls_addr" usage:"HTTPS listen address, empty = off"`

	// TLSCert is a PEM file with the certificate chain for HTTPS, reloaded when it changes so that
	// a renewal needs no restart. Default "". Goes with TLSKey.
	TLSCert string `yaml:"tls_cert" usage:"PEM certificate chain for HTTPS"`

	// TLSKey is a PEM file with the private key of TLSCert. Default "".
	TLSKey string `yaml:"tls_key" usage:"PEM private key for HTTPS"`

	// HTTP3 also listens on TLSAddr by UDP and tells browsers so. Default false: many networks block
	// it, and it costs more CPU than TCP.
	HTTP3 bool `yaml:"http3" usage:"also serve HTTP/3 on http.tls_addr, by UDP"`

	// HoldTimeout is the longest a request for something that is not there yet is held. Default 7s,
	// 1s to 8s: hls.js gives up at 10 s and ExoPlayer at 8 s, and the answer has to travel too.
	HoldTimeout time.Duration `yaml:"hold_timeout" usage:"longest hold of a request that is early"`

	// WriteTimeout is how long a viewer may take no byte before it is dropped, and what it may take for
	// an answer beyond the time that its bytes are in the window. Default 30s: a phone in a tunnel
	// comes back, a dead peer does not hold memory for long.
	WriteTimeout time.Duration `yaml:"write_timeout" usage:"longest a viewer may take no byte"`

	// MaxConnections bounds the connections open at once. Default 20000: an idle one costs less than
	// 32 KiB. Fewer where the system gives fewer descriptors.
	MaxConnections int `yaml:"max_connections" usage:"most connections at once"`

	// MaxPerAddress bounds those of one IPv4 address or IPv6 /64. Default 200: browsers open
	// six each over HTTP/1.1, so thirty viewers behind one address fit. 0 for no bound.
	MaxPerAddress int `yaml:"max_per_address" usage:"most connections from one address, 0 = any"`

	// MaxWaitsPerAddress bounds the requests of one address that wait for something that is not there
	// yet. Default 64: a viewer has two or three of them. 0 for no bound.
	MaxWaitsPerAddress int `yaml:"max_waits_per_address" usage:"most waiting requests from one address, 0 = any"`

	// MaxWaitsPerStream bounds those of one stream. Default 10000: more viewers of one stream want
	// a cache in between, which joins their requests. 0 for no bound.
	MaxWaitsPerStream int `yaml:"max_waits_per_stream" usage:"most waiting requests for one stream, 0 = any"`

	// UnlimitedFrom lists the networks whose addresses are not bound one by one. Default "private": a
	// proxy or a container bridge stands for all its viewers. Name your CDN's networks, too.
	UnlimitedFrom []string `yaml:"unlimited_from" usage:"networks without limits per address"`

	// ForwardedFrom lists the proxies whose X-Forwarded-For or Forwarded header is believed. Default
	// none: anybody can write such a header.
	ForwardedFrom []string `yaml:"forwarded_from" usage:"proxies whose X-Forwarded-For is believed"`

	// ProxyProtocolFrom lists the proxies that begin each connection with a PROXY protocol header,
	// version 1 or 2. They must, and nobody else may. Default none.
	ProxyProtocolFrom []string `yaml:"proxy_protocol_from" usage:"proxies that send the PROXY protocol"`
}

// Watch says who may watch. Everybody may, by default: a newcomer wants to see a picture. With
// TokenKeys, JWT or Webhook, viewers need a token; with the lists alone, none.
type Watch struct {
	// TokenKeys are the keys of signed tokens, in hex: at most two, so that a new one can be brought
	// in while tokens by the old one are about. The first signs what `sluice sign` prints. Default
	// none: no signed tokens.
	TokenKeys []string `yaml:"token_keys" usage:"hex keys of signed tokens, the first one signs"`

	JWT     JWT          `yaml:"jwt" usage:"Who may watch: tokens"`
	Webhook WatchWebhook `yaml:"webhook" usage:"Who may watch: a webhook"`

	// Secret signs the passes that viewers get for their tokens. Default "": one that is made at
	// each start, so that viewers must enter anew after a restart. At least 16 characters; the same
	// for all servers behind one address.
	Secret string `yaml:"secret" usage:"signs viewers' passes, empty = new at each start"`

	// Session is how long a pass is good. Default 24h, 1m to 30 days: long enough for any show, and
	// who leaves a subscription is out by tomorrow.
	Session time.Duration `yaml:"session" usage:"how long a viewer's pass is good"`

	// BindAddress makes a pass good only at the address where it was given. Default false: phones
	// change theirs.
	BindAddress bool `yaml:"bind_address" usage:"a pass is good at one address only"`

	// From lists the networks that may watch: CIDRs or the words address.ParseNetworks knows. Default empty:
	// all.
	From []string `yaml:"from" usage:"networks that may watch, empty = all"`

	// Deny lists networks that may not watch, whatever they have. Default empty.
	Deny []string `yaml:"deny" usage:"networks that may not, whatever they have"`

	// Referers are the hosts whose pages may show streams, such as example.com or *.example.com.
	// Default none: all. The server's own always may where a certificate of its own or an address
	// stands for it: what the Host header says can be anybody's name that leads here.
	Referers []string `yaml:"referers" usage:"hosts whose pages may show streams, none = all"`

	// RequireReferer refuses those who don't say whose page they look at. Default false: apps, set-top
	// boxes and careful browsers don't.
	RequireReferer bool `yaml:"require_referer" usage:"refuse viewers without a Referer"`

	// Watermark shows the viewer's id moving over the picture of the player page. Default false.
	Watermark bool `yaml:"watermark" usage:"the player page shows the viewer's id"`

	// CDNSecret lets a cache have everything, by the header X-Sluice-CDN or as a Bearer token, and
	// store it for all. Default "": caches are treated like viewers. At least 16 characters.
	CDNSecret string `yaml:"cdn_secret" usage:"lets a cache that checks viewers have everything"`
}

// WatchWebhook says whom to ask about viewers.
type WatchWebhook struct {
	// URL is asked by POST, once for each token that is neither signed nor a JWT. Default "": nobody
	// is asked.
	URL string `yaml:"url" usage:"URL to ask about one-time tokens, empty = none"`

	// Style is json, or form as nginx-rtmp has it. Default "json".
	Style string `yaml:"style" usage:"json, or form as nginx-rtmp has it"`

	// Secret signs the questions. Default "": unsigned.
	Secret string `yaml:"secret" usage:"secret that signs the questions, empty = unsigned"`
}

// ACME says how certificates are had by themselves, for listeners with TLS that have no certificate
// file. The authority must reach http.addr by port 80, or http.tls_addr by port 443.
type ACME struct {
	// Domains are the names to have certificates for. Default none: no ACME. With some, you agree
	// to the authority's terms.
	Domains []string `yaml:"domains" usage:"names to have certificates for, none = off"`

	// Cache is a directory for keys and certificates, made when it isn't there. Default "acme". Keep
	// it over restarts: authorities give few certificates a week.
	Cache string `yaml:"cache" usage:"directory for keys and certificates"`

	// Email is where the authority can write to. Default "".
	Email string `yaml:"email" usage:"where the authority can write to"`

	// Directory is the authority's URL. Default "", which is Let's Encrypt.
	Directory string `yaml:"directory" usage:"the authority's URL, empty = Let's Encrypt"`
}

// Admin says where the dashboard, metrics, health checks and profiles are.
type Admin struct {
	// Addr is the admin listen address. Default "127.0.0.1:9090": this machine only. Any other needs
	// Token.
	Addr string `yaml:"addr" usage:"admin listen address, empty = off"`

	// Token is what operators show: as a Bearer token, or in a browser as the password of any user.
	// Default "": none is asked for, which is for loopback alone. At least 16 characters.
	Token string `yaml:"token" usage:"token that operators show, empty = none"`
}

// Window says what of a stream can be watched, and how it is cut.
type Window struct {
	// Segments is how many closed segments playlists list. Default 8, 3 to 1000: with 2 s segments
	// it lets a viewer stall 16 s without losing its place. Memory grows with it.
	Segments int `yaml:"segments" usage:"closed segments listed in playlists"`

	// SegmentMinDuration: a segment ends at the first keyframe at or after it. Default 2s, 1s to
	// 30s. Sequence numbers start from the clock, so much shorter segments could make a restart use
	// a number again.
	SegmentMinDuration time.Duration `yaml:"segment_min_duration" usage:"cut at the first keyframe from here on"`

	// SegmentMaxDuration: a longer GOP is cut without a keyframe, as long as the target duration is
	// not known yet; from then on that is the limit. Default 10s, at least SegmentMinDuration.
	SegmentMaxDuration time.Duration `yaml:"segment_max_duration" usage:"cut here even without a keyframe"`

	// TargetDuration bounds all segments of a stream, and is the unit in which players without low
	// latency count how far behind they stay: three. Default 0s, which takes it from the first GOP;
	// else whole seconds, at least SegmentMinDuration. A stream whose encoder doesn't tell its
	// keyframe interval starts a GOP earlier when it is set.
	TargetDuration time.Duration `yaml:"target_duration" usage:"bound of all segments, 0s: from the first GOP"`

	// PartDuration is how much media a low-latency part holds. Default 500ms, 100ms to 2s, at most
	// SegmentMinDuration. Viewers are three parts and a half behind, or three and 0.2 s if that is less;
	// each part is a request per viewer.
	PartDuration time.Duration `yaml:"part_duration" usage:"media in one low-latency part"`

	// FrameChunks makes each frame a fragment of its own, inside the same parts. LL-DASH viewers get
	// every frame as it arrives; HLS viewers see no difference. Default false: it costs about 130
	// bytes and a wake-up per frame and viewer.
	FrameChunks bool `yaml:"frame_chunks" usage:"LL-DASH viewers get each frame as it arrives"`

	// MaxStreamMemory bounds what one stream holds in memory. Where it is not enough for Segments, there
	// are fewer, at least three; a publisher who needs more than for those is sent away. Default 256MiB:
	// 8 segments of 2 s at 20 Mbit/s, three times over, as retired segments stay for a while. At least
	// 1MiB.
	MaxStreamMemory Size `yaml:"max_stream_memory" usage:"most memory of one stream"`

	// MaxMemory bounds what all streams hold. Windows get shorter to keep to it; publishers for whose
	// shortest windows there is no room are refused or, the youngest first, sent away. Default 0, which means 60 % of what the
	// process may have: of GOMEMLIMIT, of its control group, or of the machine, whichever is least.
	// Else at least 1MiB.
	MaxMemory Size `yaml:"max_memory" usage:"most memory of all streams, 0 = 60 % of what there is"`

	// Grace is how long a stream waits for an encoder whose connection was lost. Default 30s, at
	// most 5m, 0s for not at all: encoders come back within seconds, and one that says goodbye
	// ends its stream at once.
	Grace time.Duration `yaml:"grace" usage:"how long a stream waits for a lost encoder"`

	// Linger is how long a stream stays watchable after its end. Default 90s, at
	// least 60s: viewers reach the end, and an encoder that restarts finds its viewers waiting.
	Linger time.Duration `yaml:"linger" usage:"how long an ended stream stays watchable"`
}

// Log says how much sluice tells and for whose eyes.
type Log struct {
	// Level is the least severe level written: debug, info, warn or error. Default "info": the
	// steps in the life of each connection, nothing per frame.
	Level string `yaml:"level" usage:"debug, info, warn or error"`

	// Format is console for people or json for machines. Default "console": people come first.
	Format string `yaml:"format" usage:"console or json"`
}

// Default returns the configuration of an operator who has said nothing.
func Default() Config {
	return Config{
		RTMP: RTMP{
			Addr:             ":1935",
			TLSAddr:          ":1936",
			HandshakeTimeout: 5 * time.Second,
			PublishTimeout:   10 * time.Second,
			IdleTimeout:      15 * time.Second,
			WriteTimeout:     10 * time.Second,
			MessageTimeout:   30 * time.Second,
			MaxBitrate:       50_000,
			MaxMessageSize:   10 * MiB,
			MaxChunkStreams:  64,
			MaxConnections:   2000,
			MaxPerAddress:    20,
			ConnectionRate:   10,
			ConnectionBurst:  20,
			UnlimitedFrom:    []string{"private"},
		},
		Publish: Publish{
			Login:   "auto",
			Webhook: Webhook{Style: "json"},
		},
		HTTP: HTTP{
			Addr:               ":8080",
			HoldTimeout:        7 * time.Second,
			WriteTimeout:       30 * time.Second,
			MaxConnections:     20_000,
			MaxPerAddress:      200,
			MaxWaitsPerAddress: 64,
			MaxWaitsPerStream:  10_000,
			UnlimitedFrom:      []string{"private"},
		},
		Watch: Watch{
			Webhook: WatchWebhook{Style: "json"},
			Session: 24 * time.Hour,
		},
		ACME: ACME{
			Cache: "acme",
		},
		Admin: Admin{
			Addr: "127.0.0.1:9090",
		},
		Window: Window{
			Segments:           8,
			SegmentMinDuration: 2 * time.Second,
			SegmentMaxDuration: 10 * time.Second,
			PartDuration:       500 * time.Millisecond,
			MaxStreamMemory:    256 * MiB,
			Grace:              30 * time.Second,
			Linger:             90 * time.Second,
		},
		Log: Log{
			Level:  "info",
			Format: "console",
		},
	}
}
