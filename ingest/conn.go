package ingest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest/chunk"
)

const (
	// ackWindow is asked of encoders and, unless they ask for another, used
	// for our acknowledgements: rare, because each one is a system call.
	ackWindow    = 2_500_000
	minAckWindow = 64 << 10

	// outChunkSize is announced before the connect reply. ffmpeg adopts it for
	// its own direction, so most of its messages become one chunk.
	outChunkSize = 65536

	commandStream = 3 // chunk stream of command replies
	statusStream  = 5 // chunk stream of onStatus

	maxNetStreams = 8 // OBS's library may open several
)

// conn is the connection of an encoder, or of a reader. All fields belong to its
// goroutine, but for what Peer tells others, and what readings share.
type conn struct {
	// Every message needs these: with many connections memory is cold when one comes.
	server    *Server
	idle      *idleReader
	reader    *chunk.Reader          // nil until the handshake is over, as writer is
	move      atomic.Pointer[string] // where to; nil: it needn't, or was asked already
	held      atomic.Int64
	acked     uint64
	ackWindow uint64
	pace      pace

	nc     net.Conn // for deadlines: what is said behind the handshake goes through writer, or RTMPE's cipher misses it
	hang   context.CancelCauseFunc
	log    zerolog.Logger
	hidden bool     // by RTMPE
	socket unreader // nil: it can't tell

	out    sync.Mutex // one writes at a time
	writer *chunk.Writer

	readings map[uint32]*reading // by message stream
	sent     atomic.Uint64       // bytes of tags
	noted    uint64              // of them when it was silent last
	took     time.Time           // when it took some last, as far as is known

	netStreams uint32 // ids given out
	moves      bool   // it understands when it is asked to reconnect
}

func newConn(ctx context.Context, hang context.CancelCauseFunc, s *Server, nc net.Conn, log zerolog.Logger) *conn {
	return &conn{
		pace:      newPace(s.Limits),
		hang:      hang,
		server:    s,
		nc:        nc,
		log:       log,
		idle:      &idleReader{ctx: ctx, nc: nc, now: s.Now, born: s.Now(), metrics: s.Metrics},
		ackWindow: ackWindow,
		socket:    socketOf(nc),
	}
}

// talk begins to read and write chunks, behind the handshake.
func (c *conn) talk(r io.Reader, w io.Writer) {
	c.reader = chunk.NewReader(r, strangerLimits(c.server.Limits.Chunk))
	c.writer = chunk.NewWriter(w)
	c.idle.received = c.received
}

// strangerLimits are for a peer that has not been let in: no message of the
// dialogue needs more. Encoders have it on two to four chunk streams.
func strangerLimits(l chunk.Limits) chunk.Limits {
	const message, incomplete, streams, buffer = 64 << 10, 128 << 10, 8, 16 << 10
	l.MediaSize = min(l.MediaSize, message)
	l.CommandSize = min(l.CommandSize, message)
	l.Incomplete = min(l.Incomplete, incomplete)
	l.ChunkStreams = min(l.ChunkStreams, streams)
	l.Buffer = buffer
	return l
}

// run is the life of a connection, phase by phase. After a goodbye the
// encoder may publish again.
func (c *conn) run(ctx context.Context) error {
	if err := c.greet(); err != nil {
		return err
	}
	defer c.stopReadings(ctx)
	c.idle.until(c.server.Limits.PublishTimeout)
	said, err := c.connect(ctx)
	if err != nil {
		if faulty(err) {
			const connectTransaction = 1
			err = c.reject(command{txn: connectTransaction}, err)
		}
		return phase("connect", err)
	}
	for first := true; ; first = false {
		p, err := c.publish(ctx, said)
		if (!first || c.readings != nil) && gone(err) {
			return nil // it had said goodbye, or the log has the end of what it played
		}
		if err != nil {
			if faulty(err) {
				err = c.refuse(0, err)
			}
			return phase("publish", err)
		}
		if bye := c.tags(ctx, p); !bye {
			return nil // the log has the cause already
		}
		c.idle.until(c.server.Limits.PublishTimeout)
		c.pace.left()
	}
}

// read returns the next message that is not connection upkeep.
func (c *conn) read() (chunk.Message, error) {
	for {
		m, err := c.reader.ReadMessage()
		if err != nil {
			return chunk.Message{}, c.server.counted(err)
		}
		c.pace.complete = true
		if c.idle.silence != nil && !c.reads() { // what it played is over, or was refused
			c.idle.until(c.server.Limits.PublishTimeout)
		}
		if c.move.Load() != nil {
			if err := c.askToMove(); err != nil {
				return chunk.Message{}, err
			}
		}
		switch m.Type {
		case chunk.TypeWindowAckSize, chunk.TypeUserControl, chunk.TypeAck, chunk.TypeSetPeerBand, chunk.TypeDataAMF0, chunk.TypeDataAMF3:
			if err := c.upkeep(); err != nil {
				return chunk.Message{}, err
			}
		case chunk.TypeCommandAMF0, chunk.TypeCommandAMF3:
			if err := c.commanded(); err != nil {
				return chunk.Message{}, err
			}
		}
		switch m.Type {
		case chunk.TypeWindowAckSize:
			if len(m.Body) >= 4 {
				c.ackWindow = max(minAckWindow, uint64(binary.BigEndian.Uint32(m.Body)))
			}
		case chunk.TypeUserControl:
			if len(m.Body) >= 6 && binary.BigEndian.Uint16(m.Body) == pingRequest {
				c.write(userControl(pingResponse, binary.BigEndian.Uint32(m.Body[2:])))
				if err := c.keepUp(); err != nil {
					return chunk.Message{}, err
				}
			}
		case chunk.TypeAck, chunk.TypeSetPeerBand:
		default:
			return m, nil
		}
	}
}

// unreader is a socket that tells how much has come and was not read.
type unreader interface{ Unread() int }

// socketOf finds it below TLS; nil where there is none.
func socketOf(nc net.Conn) unreader {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn()
	}
	u, _ := nc.(unreader)
	return u
}

// acknowledge says how much was received, once that is due and nothing is left to read. Many
// an encoder closes as soon as it has said goodbye, and a system that hears anything for a
// socket that is closed throws away what has yet to leave from there (RFC 9293, section
// 3.6.1). Who waits for an acknowledgement sends no more, so it comes.
func (c *conn) acknowledge(received uint64) error {
	if received-c.acked < c.ackWindow || c.socket != nil && c.socket.Unread() > 0 {
		return nil
	}
	c.acked = received
	c.write(control(chunk.TypeAck, uint32(received)))
	return c.keepUp()
}

// keepUp sends what keeps a connection going. One who has gone hears nothing, and what he sent
// before is there to read: reading tells when that ends.
func (c *conn) keepUp() error {
	if err := c.flush(); !reset(err) {
		return err
	}
	return nil
}

// write appends a message to what the next flush sends.
func (c *conn) write(m chunk.Message) {
	c.out.Lock()
	defer c.out.Unlock()
	c.writer.WriteMessage(m)
}

// flush sends what was written.
func (c *conn) flush() error {
	c.out.Lock()
	defer c.out.Unlock()
	if c.writer.Size() == 0 { // a reading has sent it along
		return nil
	}
	return c.send()
}

// send is flush for one who has c.out.
func (c *conn) send() error {
	c.nc.SetWriteDeadline(c.server.Now().Add(c.server.Limits.WriteTimeout))
	return c.writer.Flush()
}
