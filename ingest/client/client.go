// Package client publishes FLV tags to an RTMP server, as an encoder does, and plays them
// from one.
package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/handshake"
	"github.com/sluice-live/sluice/ingest/rate"
)

const (
	dialTimeout  = 10 * time.Second
	playTimeout  = 20 * time.Second // some servers, sluice among them, wait half of it for a stream
	writeTimeout = 10 * time.Second
	closeTimeout = 10 * time.Second // for a server to read what is on its way to it
	hurryTime    = time.Second
	chunkSize    = 4096 // what OBS announces

	// reconnectRequest is the code of a server that asks its peers to come by another connection
	// (Enhanced RTMP v2, "Reconnect Request").
	reconnectRequest = "NetConnection.Connect.ReconnectRequest"

	commandStream = 3
	mediaStream   = 4 // one for all, as OBS has it
)

// Publisher is a publication at a server. It is used by one goroutine.
type Publisher struct {
	// What the server has said of Enhanced RTMP: nothing, where it wasn't asked.
	Abilities Abilities

	nc       net.Conn
	streamID uint32
	name     string

	mu     sync.Mutex // one writes at a time
	w      *chunk.Writer
	broken error // of a Flush: what follows would be read as the rest of what was cut off

	hurry     chan struct{} // closed: what is still to be said, and read, may take no longer than hurryTime
	hurryOnce sync.Once

	asked chan string

	gone chan struct{} // closed when the server is heard no longer
	why  error         // since when gone is closed
}

// Abilities are what a server takes of Enhanced RTMP.
type Abilities struct {
	Codecs []flv.FourCC
	All    bool
	Tracks bool // several of a kind
}

// Covers tells whether they have all that others have.
func (a Abilities) Covers(b Abilities) bool {
	return (a.All || !b.All) && (a.Tracks || !b.Tracks) && !slices.ContainsFunc(b.Codecs, func(c flv.FourCC) bool { return !a.Takes(c) })
}

// Takes tells whether a codec is among them.
func (a Abilities) Takes(c flv.FourCC) bool { return a.All || slices.Contains(a.Codecs, c) }

// RefusedError is that a server says no.
type RefusedError struct {
	Step              string // of the dialogue
	Code, Description string // the server's: nobody has checked them
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s: refused: %s: %s", e.Step, e.Code, e.Description)
}

// Dial connects to rtmp://HOST[:PORT]/APP/NAME (or rtmps://) and publishes
// there. tlsConfig may be nil.
func Dial(ctx context.Context, rawURL string, tlsConfig *tls.Config) (*Publisher, error) {
	a, err := ParseAddress(rawURL)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return Dialer{TLS: tlsConfig}.Publish(ctx, a, Tells{})
}

// Publish connects and publishes. What the publisher tells is which codecs it may send.
func (d Dialer) Publish(ctx context.Context, a Address, t Tells) (p *Publisher, err error) {
	err = d.open(ctx, a, dialTimeout, func(nc net.Conn, app, tcURL string) error {
		p, err = publish(nc, app, a.Name, tcURL, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("publish to %v: %w", a, err)
	}
	return p, nil
}

// New publishes on a connection that is open already.
func New(nc net.Conn, app, name, tcURL string) (*Publisher, error) {
	return publish(nc, app, name, tcURL, Tells{})
}

func publish(nc net.Conn, app, name, tcURL string, t Tells) (*Publisher, error) {
	nc.SetDeadline(time.Now().Add(dialTimeout))
	if err := handshake.Dial(nc, 0, rand.Reader); err != nil {
		return nil, err
	}
	p := &Publisher{nc: nc, w: chunk.NewWriter(nc), name: name, gone: make(chan struct{}), hurry: make(chan struct{}), asked: make(chan string, 1)}
	r := chunk.NewReader(nc, listenLimits())
	p.w.SetChunkSize(chunkSize)
	p.command(0, "connect", 1, t.add(amf.Object{
		{Name: "app", Value: app},
		{Name: "type", Value: "nonprivate"},
		{Name: "flashVer", Value: "FMLE/3.0 (compatible; sluice)"},
		{Name: "tcUrl", Value: tcURL},
	}))
	if err := p.w.Flush(); err != nil {
		return nil, err
	}
	answer, err := await(r, "connect", func(c []any) bool { return c[0] == "_result" && c[1] == 1.0 })
	if err != nil {
		return nil, err
	}
	p.Abilities = abilities(answer)
	p.command(0, "releaseStream", 2, amf.Null{}, name)
	p.command(0, "FCPublish", 3, amf.Null{}, name)
	p.command(0, "createStream", 4, amf.Null{})
	if err := p.w.Flush(); err != nil {
		return nil, err
	}
	id, err := await(r, "createStream", func(c []any) bool { return c[0] == "_result" && c[1] == 4.0 && len(c) > 3 }, 2, 3)
	if err != nil {
		return nil, err
	}
	number, _ := id[3].(float64)
	p.streamID = uint32(number)
	p.command(p.streamID, "publish", 5, amf.Null{}, name, "live")
	if err := p.w.Flush(); err != nil {
		return nil, err
	}
	if _, err := await(r, "publish", func(c []any) bool { return c[0] == "onStatus" }); err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Time{})
	go p.listen(r)
	return p, nil
}

// listenLimits bound what a server can make a Publisher hold: it sends no media.
func listenLimits() chunk.Limits {
	l := chunk.DefaultLimits()
	l.MediaSize, l.Incomplete, l.Buffer = l.CommandSize, 1<<20, 16<<10
	return l
}

// talkative is what a server may say to a Publisher: a hundred times what there is to say.
var talkative = rate.Limit{PerSecond: 200, Burst: 1000}

// listen reads what the server says until it is gone: acknowledgements, too, or it
// would wait for us.
func (p *Publisher) listen(r *chunk.Reader) {
	defer close(p.gone)
	var said rate.Bucket
	for {
		m, err := r.ReadMessage()
		if err == nil && !said.Take(talkative, 1, time.Now()) {
			err = fmt.Errorf("the server says more than %.0f things a second", talkative.PerSecond)
		}
		if err == nil {
			err = p.heed(m)
		}
		if err != nil {
			p.why = err
			return
		}
	}
}

// heed answers a ping, and returns an error where the server ends the publication.
func (p *Publisher) heed(m chunk.Message) error {
	switch m.Type {
	case chunk.TypeUserControl:
		if pong, ok := pongFor(m.Body); ok {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.w.WriteMessage(pong)
			return p.flush()
		}
	case chunk.TypeCommandAMF0:
		c, _ := amf.Decode(m.Body)
		if len(c) > 1 && c[0] == "onStatus" {
			info, _ := c[len(c)-1].(amf.Object)
			if info.String("level") == "error" {
				return &RefusedError{"publish", info.String("code"), info.String("description")}
			}
			if info.String("code") == reconnectRequest {
				select {
				case p.asked <- info.String("tcUrl"):
				default: // it has been asked already
				}
			}
		}
	}
	return nil
}

// Gone is closed when the server has hung up, or has ended the publication.
func (p *Publisher) Gone() <-chan struct{} { return p.gone }

// Why is why it is gone, if it is.
func (p *Publisher) Why() error {
	select {
	case <-p.gone:
		return p.why
	default:
		return nil
	}
}

// await reads until the reply that is wanted, or one that says no: to whatever but the
// transactions that are unimportant.
func await(r *chunk.Reader, step string, wanted func([]any) bool, unimportant ...float64) ([]any, error) {
	for {
		m, err := r.ReadMessage()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step, err)
		}
		if m.Type != chunk.TypeCommandAMF0 {
			continue
		}
		c, _ := amf.Decode(m.Body)
		if len(c) < 2 {
			continue
		}
		if txn, _ := c[1].(float64); c[0] == "_error" && slices.Contains(unimportant, txn) {
			continue
		}
		if info, ok := c[len(c)-1].(amf.Object); ok && info.String("level") == "error" {
			return nil, &RefusedError{step, info.String("code"), info.String("description")}
		}
		if wanted(c) {
			return c, nil
		}
	}
}

func (p *Publisher) command(streamID uint32, name string, txn float64, values ...any) {
	command(p.w, streamID, name, txn, values...)
}

func command(w *chunk.Writer, streamID uint32, name string, txn float64, values ...any) {
	w.WriteMessage(chunk.Message{
		ChunkStreamID: commandStream,
		StreamID:      streamID,
		Type:          chunk.TypeCommandAMF0,
		Body:          amf.Append(amf.Append(nil, name, txn), values...),
	})
}

// WriteTag sends one tag.
func (p *Publisher) WriteTag(tag flv.Tag) error {
	p.Add(flv.Drawn{Tag: tag})
	return p.Flush()
}

// Add appends a tag to what the next Flush sends. Until then its body must not be
// modified; its head is copied.
func (p *Publisher) Add(d flv.Drawn) {
	m := chunk.Message{
		ChunkStreamID: mediaStream,
		StreamID:      p.streamID,
		Timestamp:     d.Timestamp,
		Type:          chunk.Type(d.Type),
		Body:          d.Body,
	}
	head := d.Head
	if d.Type == flv.TagScript {
		head = append(amf.Append(nil, "@setDataFrame"), head...)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.w.WriteShared(m, head)
}

// Remote is the server's address.
func (p *Publisher) Remote() net.Addr { return p.nc.RemoteAddr() }

// Size is how many bytes the next Flush sends.
func (p *Publisher) Size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.w.Size()
}

// Flush sends what was added, within writeTimeout.
func (p *Publisher) Flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flush()
}

func (p *Publisher) flush() error {
	if p.broken != nil {
		return p.broken
	}
	limit := writeTimeout
	select {
	case <-p.hurry:
		limit = hurryTime
	default:
	}
	p.nc.SetWriteDeadline(time.Now().Add(limit))
	p.broken = p.w.Flush()
	return p.broken
}

// Close says goodbye, unless something was cut off before, and closes the connection.
func (p *Publisher) Close() error {
	p.mu.Lock()
	p.command(0, "FCUnpublish", 6, amf.Null{}, p.name)
	p.command(0, "deleteStream", 7, amf.Null{}, float64(p.streamID))
	err := p.flush()
	p.mu.Unlock()
	if err == nil {
		return p.closeBehind()
	}
	p.Abort()
	return err
}

// closeBehind closes the connection when the server has read all, and closes its side then:
// who closes first loses what is on its way as soon as the server says anything.
func (p *Publisher) closeBehind() error {
	half, ok := p.nc.(interface{ CloseWrite() error })
	if !ok {
		p.Abort()
		return nil
	}
	half.CloseWrite()
	p.nc.SetReadDeadline(time.Now().Add(closeTimeout))
	select {
	case <-p.gone:
	case <-p.hurry:
		p.nc.SetReadDeadline(time.Now().Add(hurryTime))
		<-p.gone
	}
	return p.nc.Close()
}

// Hurry ends a Flush that waits, within a second, and gives what is said from here on no longer,
// nor the server to read it. It may be called from anywhere.
func (p *Publisher) Hurry() {
	p.hurryOnce.Do(func() { close(p.hurry) })
	p.nc.SetWriteDeadline(time.Now().Add(hurryTime))
}

// Asked has where the server wants us to come next, once it does: "" is where we came
// (Enhanced RTMP v2, "Reconnect Request"). Who follows publishes there from a keyframe on, and
// closes this publication then by Leave.
func (p *Publisher) Asked() <-chan string { return p.asked }

// Leave closes the connection without a goodbye, when the server has read all: the stream
// goes on elsewhere.
func (p *Publisher) Leave() error { return p.closeBehind() }

// Abort closes the connection without a goodbye.
func (p *Publisher) Abort() {
	p.nc.Close()
	<-p.gone
}
