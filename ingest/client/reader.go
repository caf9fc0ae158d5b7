package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/handshake"
)

// Reader plays a stream of a server. It is used by one goroutine.
type Reader struct {
	nc     net.Conn
	r      *chunk.Reader
	w      *chunk.Writer
	acked  uint64
	window uint64        // bytes that an acknowledgement is asked for after; 0: never
	idle   time.Duration // longest that ReadTag waits
	via    []string
	asked  *string // see Asked

	parts     []flv.Tag // of an aggregate, that are still to be returned
	unwrapped uint64    // of all of those
}

// Tells is what a Reader, or a Publisher, tells of itself as it connects.
type Tells struct {
	Codecs []flv.FourCC  // that it takes, or may send, beside those that are older; empty: nothing of Enhanced RTMP
	Tracks bool          // several of a kind
	Asks   bool          // it heeds Asked
	Idle   time.Duration // longest that ReadTag waits; 0 is for ever
	Limits chunk.Limits  // of what a Reader takes; zero: the usual ones

	// Via are the servers that the stream has come by, the nearest first, or the one that
	// wants it: servers that know each other so see that they would go in a circle.
	// Empty: nothing is told.
	Via []string
}

// add appends what is told to the object of a connect command.
func (t Tells) add(connect amf.Object) amf.Object {
	if len(t.Codecs) > 0 {
		var list amf.StrictArray
		for _, c := range t.Codecs {
			list = append(list, c.String())
		}
		connect = append(connect, amf.Property{Name: "fourCcList", Value: list})
	}
	const reconnect, multitrack = 1, 2 // CapsExMask
	caps := 0.0
	if t.Asks {
		caps += reconnect
	}
	if t.Tracks {
		caps += multitrack
	}
	if caps > 0 {
		connect = append(connect, amf.Property{Name: "capsEx", Value: caps})
	}
	if len(t.Via) > 0 {
		connect = append(connect, amf.Property{Name: "sluiceVia", Value: strings.Join(t.Via, ",")})
	}
	return connect
}

// DialReader connects to rtmp://HOST[:PORT]/APP/NAME (or rtmps://) and plays what is
// there. tlsConfig may be nil.
func DialReader(ctx context.Context, rawURL string, tlsConfig *tls.Config, t Tells) (*Reader, error) {
	a, err := ParseAddress(rawURL)
	if err != nil {
		return nil, fmt.Errorf("play: %w", err)
	}
	return Dialer{TLS: tlsConfig}.Play(ctx, a, t)
}

// Play connects and plays what is there.
func (d Dialer) Play(ctx context.Context, a Address, t Tells) (r *Reader, err error) {
	err = d.open(ctx, a, playTimeout, func(nc net.Conn, app, tcURL string) error {
		r, err = NewReader(nc, app, a.Name, tcURL, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("play %v: %w", a, err)
	}
	return r, nil
}

// NewReader plays on a connection that is open already.
func NewReader(nc net.Conn, app, name, tcURL string, t Tells) (*Reader, error) {
	nc.SetDeadline(time.Now().Add(playTimeout))
	if err := handshake.Dial(nc, 0, rand.Reader); err != nil {
		return nil, err
	}
	limits := t.Limits
	if limits == (chunk.Limits{}) {
		limits = chunk.DefaultLimits()
	}
	r := &Reader{nc: nc, r: chunk.NewReader(nc, limits), w: chunk.NewWriter(nc), idle: t.Idle}
	command(r.w, 0, "connect", 1, t.add(amf.Object{
		{Name: "app", Value: app},
		{Name: "flashVer", Value: "LNX 9,0,124,2"}, // as all say who play
		{Name: "tcUrl", Value: tcURL},
	}))
	command(r.w, 0, "createStream", 2, amf.Null{})
	if err := r.w.Flush(); err != nil {
		return nil, err
	}
	id, err := await(r.r, "createStream", func(c []any) bool { return c[0] == "_result" && c[1] == 2.0 && len(c) > 3 })
	if err != nil {
		return nil, err
	}
	number, _ := id[3].(float64)
	command(r.w, uint32(number), "play", 0, amf.Null{}, name, -1000.0)
	r.w.WriteMessage(chunk.Message{ // a buffer of 3 s: some servers wait to hear of one
		ChunkStreamID: chunk.ControlStreamID, Type: chunk.TypeUserControl,
		Body: binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{0, 3}, uint32(number)), 3000),
	})
	if err := r.w.Flush(); err != nil {
		return nil, err
	}
	started := func(c []any) bool {
		info, _ := c[len(c)-1].(amf.Object)
		return c[0] == "onStatus" && info.String("code") == "NetStream.Play.Start"
	}
	answer, err := await(r.r, "play", started)
	if err != nil {
		return nil, err
	}
	r.via = viaOf(answer)
	nc.SetDeadline(time.Time{})
	const window = 2_500_000
	r.window = window
	return r, nil
}

// Via are the servers that the stream has come by, the nearest first, where they tell.
func (r *Reader) Via() []string { return r.via }

// mostVia bounds how many servers a stream is known to have come by.
const mostVia = 64

func viaOf(command []any) []string {
	info, _ := command[len(command)-1].(amf.Object)
	if text := info.String("sluiceVia"); text != "" && len(text) < 1024 {
		all := strings.Split(text, ",")
		return all[:min(len(all), mostVia)]
	}
	return nil
}

// metadata is how the script tag begins that a Reader returns.
var metadata = amf.Append(nil, "onMetaData")

// ErrHungUp is for a server that hangs up without a word: the stream may go on.
var ErrHungUp = errors.New("the server has hung up")

// ReadTag returns the next tag: sound, pictures or metadata. Its body is valid until
// the next call. At the end of the stream it returns io.EOF, and where the server hangs up without saying
// that it is the end, ErrHungUp.
func (r *Reader) ReadTag() (flv.Tag, error) {
	if len(r.parts) > 0 {
		tag := r.parts[0]
		r.parts = r.parts[1:]
		return tag, nil
	}
	if r.idle > 0 { // for a tag: a server that says nothing else is silent
		r.nc.SetReadDeadline(time.Now().Add(r.idle))
	}
	for {
		m, err := r.r.ReadMessage()
		if errors.Is(err, io.EOF) {
			err = ErrHungUp
		}
		if err != nil {
			return flv.Tag{}, err
		}
		if err := r.acknowledge(); err != nil {
			return flv.Tag{}, err
		}
		switch m.Type {
		case chunk.TypeAudio, chunk.TypeVideo:
			return flv.Tag{Type: flv.TagType(m.Type), Timestamp: m.Timestamp, Body: m.Body}, nil
		case chunk.TypeAggregate: // a damaged one is dropped from where the damage begins
			_ = flv.SplitAggregate(m.Body, m.Timestamp, func(tag flv.Tag) error {
				const most = 10_000 // more than that is nothing but heads
				if len(r.parts) < most && (tag.Type == flv.TagAudio || tag.Type == flv.TagVideo) {
					r.parts = append(r.parts, tag)
				}
				return nil
			})
			r.unwrapped += uint64(len(r.parts))
			if len(r.parts) > 0 {
				tag := r.parts[0]
				r.parts = r.parts[1:]
				return tag, nil
			}
		case chunk.TypeDataAMF0:
			if bytes.HasPrefix(m.Body, metadata) {
				return flv.Tag{Type: flv.TagScript, Timestamp: m.Timestamp, Body: m.Body}, nil
			}
		case chunk.TypeUserControl:
			if err := r.control(m.Body); err != nil {
				return flv.Tag{}, err
			}
		case chunk.TypeCommandAMF0:
			if err := r.heed(m.Body); err != nil {
				return flv.Tag{}, err
			}
		}
	}
}

// acknowledge tells the server what has come, now and then.
func (r *Reader) acknowledge() error {
	n := r.r.Received()
	if n-r.acked < r.window/2 {
		return nil
	}
	r.acked = n
	return r.answer(chunk.Message{
		ChunkStreamID: chunk.ControlStreamID, Type: chunk.TypeAck, Body: binary.BigEndian.AppendUint32(nil, uint32(n)),
	})
}

// control answers a ping.
func (r *Reader) control(body []byte) error {
	if pong, ok := pongFor(body); ok {
		return r.answer(pong)
	}
	return nil
}

// pongFor is the answer to a user control message, where that is a ping (Adobe RTMP
// 1.0, section 7.1.7).
func pongFor(body []byte) (chunk.Message, bool) {
	const pingRequest, pingResponse = 6, 7
	if len(body) != 6 || binary.BigEndian.Uint16(body) != pingRequest {
		return chunk.Message{}, false
	}
	return chunk.Message{
		ChunkStreamID: chunk.ControlStreamID, Type: chunk.TypeUserControl, Body: append([]byte{0, pingResponse}, body[2:]...),
	}, true
}

func (r *Reader) answer(m chunk.Message) error {
	r.nc.SetWriteDeadline(time.Now().Add(writeTimeout))
	r.w.WriteMessage(m)
	return r.w.Flush()
}

// heed returns the error of a command that ends a play, and notes where the server wants us to
// come.
func (r *Reader) heed(body []byte) error {
	c, _ := amf.Decode(body)
	if len(c) < 2 || c[0] != "onStatus" {
		return nil
	}
	info, _ := c[len(c)-1].(amf.Object)
	switch code := info.String("code"); {
	case code == "NetStream.Play.UnpublishNotify", code == "NetStream.Play.Stop", code == "NetStream.Play.Complete":
		return io.EOF
	case code == reconnectRequest:
		where := info.String("tcUrl")
		r.asked = &where
	case info.String("level") == "error":
		return fmt.Errorf("%s: %s", code, info.String("description"))
	}
	return nil
}

// Asked is where the server wants us to come next, if it has asked since the last call: "" is where
// we came (Enhanced RTMP v2, "Reconnect Request"). Who follows plays there, and closes this one then.
func (r *Reader) Asked() (tcURL string, asked bool) {
	if r.asked == nil {
		return "", false
	}
	tcURL, r.asked = *r.asked, nil
	return tcURL, true
}

// Received is how many bytes have come.
func (r *Reader) Received() uint64 { return r.r.Received() }

// Messages is how many have come, what aggregates are made of among them.
func (r *Reader) Messages() uint64 { return r.r.Messages() + r.unwrapped }

// Held is what is in memory for what comes: a buffer, and unfinished messages.
func (r *Reader) Held() int { return r.r.Held() }

// Remote is the server's address.
func (r *Reader) Remote() net.Addr { return r.nc.RemoteAddr() }

// Close closes the connection. It may be called from anywhere, and more than once.
func (r *Reader) Close() error { return r.nc.Close() }
