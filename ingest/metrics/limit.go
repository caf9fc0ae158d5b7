package metrics

// Limit is the limit, or the rule, that somebody was refused for: a label of
// sluice_refused_total.
type Limit string

// All of them, by who refuses.
const (
	// cmd/sluice/door: connections.
	Connections           Limit = "connections"             // no room
	ConnectionsPerAddress Limit = "connections_per_address" // too many from one address
	ConnectionRate        Limit = "connection_rate"         // too many in a short time from one address
	ProxyHeader           Limit = "proxy_header"            // a proxy that doesn't tell whom it speaks for
	Accepting             Limit = "accept"                  // the system gives no connection: out of descriptors, most likely

	// ingest: how fast an encoder may go.
	Bitrate     Limit = "bitrate"
	MessageRate Limit = "message_rate"
	MessageTime Limit = "message_time"
	ControlRate Limit = "control_rate"
	CommandRate Limit = "command_rate"
	Tunnel      Limit = "tunnel" // requests of RTMPT out of turn, or broken off

	// cmd/sluice/readers: those who play by RTMP.
	Readers Limit = "readers"

	// cmd/sluice/gate and memory: publications.
	Publishing      Limit = "publish"          // who may
	PublicationRate Limit = "publication_rate" // too many of one name, or from one address
	Memory          Limit = "memory"           // of all streams
	StreamMemory    Limit = "stream_memory"    // of one

	// httpserve: requests.
	Watching        Limit = "watch" // who may
	Operating       Limit = "admin" // who may
	RequestBody     Limit = "request_body"
	Query           Limit = "query"
	WaitsPerAddress Limit = "waits_per_address"
	WaitsPerStream  Limit = "waits_per_stream"
	SlowViewer      Limit = "slow_viewer" // who takes his answer too slowly
)

// Exceeded is the error of a limit that was exceeded, in words for whoever can
// do something about it.
type Exceeded struct {
	Limit Limit
	Text  string
}

func (e *Exceeded) Error() string { return e.Text }
