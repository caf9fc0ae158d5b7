// Package client publishes FLV tags to an RTMP server, as an encoder does, and plays them
// from one.
package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/handshake"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 10 * time.Second
	chunkSize    = 4096 // what OBS announces

	commandStream = 3
	mediaStream   = 4 // one for all, as OBS has it
)

// Publisher is a publication at a server. It is used by one goroutine.
type Publisher struct {
	nc       net.Conn
	w        *chunk.Writer
	streamID uint32
	name     string
	drained  chan error
}

// Dial connects to rtmp://HOST[:PORT]/APP/NAME (or rtmps://) and publishes
// there. tlsConfig may be nil.
func Dial(ctx context.Context, rawURL string, tlsConfig *tls.Config) (p *Publisher, err error) {
	err = dial(ctx, rawURL, tlsConfig, func(nc net.Conn, app, name, tcURL string) error {
		p, err = New(nc, app, name, tcURL)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("publish to %s: %w", rawURL, err)
	}
	return p, nil
}

// dial connects and lets open go on from there, all within dialTimeout. It closes a
// connection that can't be opened.
func dial(ctx context.Context, rawURL string, tlsConfig *tls.Config, open func(nc net.Conn, app, name, tcURL string) error) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return err
	}
	app, name, ok := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if !ok {
		return errors.New("the path must be /APP/NAME")
	}
	if u.RawQuery != "" {
		name += "?" + u.RawQuery
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var nc net.Conn
	switch u.Scheme {
	case "rtmp":
		nc, err = new(net.Dialer).DialContext(ctx, "tcp", hostPort(u, "1935"))
	case "rtmps":
		nc, err = (&tls.Dialer{Config: tlsConfig}).DialContext(ctx, "tcp", hostPort(u, "443"))
	default:
		err = errors.New("the scheme must be rtmp or rtmps")
	}
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	err = open(nc, app, name, u.Scheme+"://"+u.Host+"/"+app)
	if !stop() {
		err = ctx.Err() // the socket's timeout is only how it shows
	}
	if err != nil {
		nc.Close()
	}
	return err
}

func hostPort(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// New publishes on a connection that is open already.
func New(nc net.Conn, app, name, tcURL string) (*Publisher, error) {
	nc.SetDeadline(time.Now().Add(dialTimeout))
	if err := handshake.Dial(nc, 0, rand.Reader); err != nil {
		return nil, err
	}
	p := &Publisher{nc: nc, w: chunk.NewWriter(nc), name: name, drained: make(chan error, 1)}
	r := chunk.NewReader(nc, chunk.DefaultLimits())
	p.w.SetChunkSize(chunkSize)
	p.command(0, "connect", 1, amf.Object{
		{Name: "app", Value: app},
		{Name: "type", Value: "nonprivate"},
		{Name: "flashVer", Value: "FMLE/3.0 (compatible; sluice)"},
		{Name: "tcUrl", Value: tcURL},
	})
	p.command(0, "releaseStream", 2, amf.Null{}, name)
	p.command(0, "FCPublish", 3, amf.Null{}, name)
	p.command(0, "createStream", 4, amf.Null{})
	if err := p.w.Flush(); err != nil {
		return nil, err
	}
	id, err := await(r, "createStream", func(c []any) bool { return c[0] == "_result" && c[1] == 4.0 && len(c) > 3 })
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
	go func() { // acknowledgements must be read, or the server blocks on them
		_, err := io.Copy(io.Discard, nc)
		p.drained <- err
	}()
	return p, nil
}

// await reads until the reply that is wanted, or one that says no.
func await(r *chunk.Reader, step string, wanted func([]any) bool) ([]any, error) {
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
		if info, ok := c[len(c)-1].(amf.Object); ok && info.String("level") == "error" {
			return nil, fmt.Errorf("%s: refused: %s: %s", step, info.String("code"), info.String("description"))
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
	m := chunk.Message{
		ChunkStreamID: mediaStream,
		StreamID:      p.streamID,
		Timestamp:     tag.Timestamp,
		Type:          chunk.Type(tag.Type),
		Body:          tag.Body,
	}
	if tag.Type == flv.TagScript {
		m.Body = append(amf.Append(nil, "@setDataFrame"), tag.Body...)
	}
	p.w.WriteMessage(m)
	p.nc.SetWriteDeadline(time.Now().Add(writeTimeout))
	return p.w.Flush()
}

// Close says goodbye and closes the connection.
func (p *Publisher) Close() error {
	p.command(0, "FCUnpublish", 6, amf.Null{}, p.name)
	p.command(0, "deleteStream", 7, amf.Null{}, float64(p.streamID))
	p.nc.SetWriteDeadline(time.Now().Add(writeTimeout))
	err := p.w.Flush()
	if tcp, ok := p.nc.(interface{ CloseWrite() error }); ok && err == nil {
		// The server closes when it has read the goodbye: closing first could
		// lose what is on its way.
		tcp.CloseWrite()
		p.nc.SetReadDeadline(time.Now().Add(time.Second))
		<-p.drained
		return p.nc.Close()
	}
	p.Abort()
	return err
}

// Abort closes the connection without a goodbye.
func (p *Publisher) Abort() {
	p.nc.Close()
	<-p.drained
}
