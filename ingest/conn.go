package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
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

	// maxQuery bounds the queries of app and stream together: a long token fits
	// in twice. maxShort is how much of a name that is not one comes back in
	// answers and in the log.
	maxQuery = 4 << 10
	maxShort = 128

	// lingerTime lets an encoder read why it is refused before TCP closes:
	// OBS shows an early close as "failed to connect".
	lingerTime  = time.Second
	lingerBytes = 8 << 20 // more than an encoder sends in that time
)

// conn is the connection of an encoder, or of a reader. All fields belong to its
// goroutine, but for what Peer tells others, and what readings share.
type conn struct {
	server *Server
	nc     net.Conn // for deadlines: what is said behind the handshake goes through writer, or RTMPE's cipher misses it
	hang   context.CancelCauseFunc
	log    zerolog.Logger
	idle   *idleReader
	reader *chunk.Reader // nil until the handshake is over, as writer is
	pace   pace
	hidden bool // by RTMPE

	out    sync.Mutex // one writes at a time
	writer *chunk.Writer

	readings map[uint32]*reading // by message stream
	sent     atomic.Uint64       // bytes of tags
	noted    uint64              // of them when it was silent last
	took     time.Time           // when it took some last, as far as is known

	acked      uint64
	ackWindow  uint64
	netStreams uint32 // ids given out
	held       atomic.Int64

	moves bool                   // it understands when it is asked to reconnect
	move  atomic.Pointer[string] // where to; nil: it needn't, or was asked already
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
	defer c.stopReadings()
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

// gone tells whether err is that of a connection that the peer has left.
func gone(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.As(err, &op)
}

// faulty tells whether err is a fault in what the peer sent: it is still there
// to hear of it.
func faulty(err error) bool {
	var network net.Error
	var told *toldError
	return err != nil && !errors.As(err, &network) && !errors.As(err, &told) && !errors.Is(err, io.EOF) &&
		!errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) &&
		!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// toldError is one that the encoder has heard of, and the log.
type toldError struct{ error }

func (e *toldError) Unwrap() error { return e.error }

// connected is what the connect command settles.
type connected struct {
	app, query string
	tcURL      string
	software   string
	page       string // that a player says to be on
	abilities  Abilities
	login      any
	via        []string
}

// connect waits for the connect command and accepts it, if the encoder needn't
// log in, or has.
func (c *conn) connect(ctx context.Context) (connected, error) {
	for {
		m, err := c.read()
		if err != nil {
			return connected{}, err
		}
		cmd, ok := parseCommand(m)
		if !ok || cmd.name != "connect" {
			continue // nothing else has a meaning yet; nothing else is a fault
		}
		s := connected{
			software: short(cmd.object.String("flashVer")), tcURL: cmd.object.String("tcUrl"),
			page: cmd.object.String("pageUrl"), abilities: abilities(cmd.object), via: viaOf(cmd.object),
		}
		c.moves = s.abilities.Reconnect
		s.app, s.query, _ = strings.Cut(cmd.object.String("app"), "?")
		s.app = strings.Trim(s.app, "/")
		s.app = strings.TrimSuffix(s.app, "/_definst_")
		a, ok := c.server.Handler.(Authenticator)
		if ok && (c.server.player() == nil || !flashPlayer(cmd.object)) {
			if s.login, err = a.Connect(ctx, c.request(s, "")); err != nil {
				return connected{}, c.reject(cmd, err)
			}
		}
		c.write(control(chunk.TypeWindowAckSize, ackWindow))
		const dynamic = 2
		bandwidth := control(chunk.TypeSetPeerBand, ackWindow)
		bandwidth.Body = append(bandwidth.Body, dynamic)
		c.write(bandwidth)
		if !c.garbles(s) {
			c.writer.SetChunkSize(outChunkSize) // nobody else writes yet
		}
		var enhanced amf.Object
		if h, ok := c.server.Handler.(Carrier); ok {
			enhanced = capabilities(cmd.object, h.Codecs())
		}
		c.reply(commandStream, 0, "_result", cmd.txn,
			amf.Object{{Name: "fmsVer", Value: "FMS/3,0,1,123"}, {Name: "capabilities", Value: 31.0}, {Name: "mode", Value: 1.0}},
			append(amf.Object{
				{Name: "level", Value: "status"},
				{Name: "code", Value: "NetConnection.Connect.Success"},
				{Name: "description", Value: "Connection succeeded."},
				{Name: "objectEncoding", Value: 0.0},
			}, enhanced...))
		return s, c.flush()
	}
}

// accepted is a publish command that was accepted.
type accepted struct {
	sink     Sink
	streamID uint32 // message stream of its tags
	early    earlyTags
	log      zerolog.Logger
}

// publish carries the dialogue from connect to an accepted publish command.
func (c *conn) publish(ctx context.Context, s connected) (accepted, error) {
	var early earlyTags
	for {
		m, err := c.read()
		if err != nil {
			return accepted{}, err
		}
		cmd, ok := parseCommand(m)
		if !ok {
			early.keep(m)
			continue
		}
		switch {
		case c.plays(ctx, s, cmd):
			if err := c.flush(); err != nil {
				return accepted{}, err
			}
			continue
		case cmd.name != "publish" || c.reads():
			if err := c.answer(cmd); err != nil {
				return accepted{}, err
			}
			continue
		}
		r := c.request(s, cmd.stringArg(0))
		if n := len(r.Query); n > maxQuery {
			return accepted{}, c.refuse(m.StreamID, fmt.Errorf("a query of %d bytes, the limit is %d", n, maxQuery))
		}
		stream, sink, err := c.server.Handler.Publish(ctx, r)
		c.server.Metrics.Published(result(err))
		if err != nil {
			return accepted{}, c.refuse(m.StreamID, err)
		}
		p := accepted{
			sink:     sink,
			streamID: m.StreamID,
			early:    early,
			log:      c.log.With().Str("stream", stream).Logger(),
		}
		if err := c.start(p); err != nil {
			sink.Close(err)
			return accepted{}, err
		}
		p.log.Info().Str("software", r.Software).Bool("tls", r.Encrypted).Str("protocol", c.protocol()).Msg("publishing")
		return p, nil
	}
}

func (c *conn) request(s connected, publishingName string) Request {
	r := Request{
		TCURL:     s.tcURL,
		Login:     s.login,
		App:       s.app,
		PageURL:   s.page,
		Abilities: s.abilities,
		Remote:    address.WithPort(c.nc.RemoteAddr()),
		Encrypted: encrypted(c.nc),
		Software:  s.software,
		Via:       s.via,
	}
	name, query, _ := strings.Cut(publishingName, "?")
	for _, prefix := range []string{"mp4:", "flv:"} { // as Wowza's and Adobe's encoders write them
		name = strings.TrimPrefix(name, prefix)
	}
	r.Name = strings.Trim(name, "/")
	r.Peer = c
	r.Query = strings.Trim(query+"&"+s.query, "&")
	return r
}

// short is the beginning of a stranger's text.
func short(s string) string {
	if len(s) <= maxShort {
		return s
	}
	return strings.ToValidUTF8(s[:maxShort], "") + "…"
}

// Silent is part of Peer.
func (c *conn) Silent() time.Duration {
	return c.server.Now().Sub(c.idle.born) - time.Duration(c.idle.last.Load())
}

// Held is part of Peer.
func (c *conn) Held() int { return int(c.held.Load()) }

// Reconnect is part of Peer.
func (c *conn) Reconnect(tcURL string) bool {
	if c.moves {
		c.move.Store(&tcURL)
	}
	return c.moves
}

// askToMove says what Reconnect has left to say: in a goroutine of this connection, so that a peer
// that doesn't read holds nobody else up.
func (c *conn) askToMove() error {
	to := c.move.Swap(nil)
	if to == nil {
		return nil
	}
	o := info("status", "NetConnection.Connect.ReconnectRequest", "this server is about to stop")
	if *to != "" {
		o = append(o, amf.Property{Name: "tcUrl", Value: *to})
	}
	c.reply(commandStream, 0, "onStatus", 0, amf.Null{}, o)
	return c.flush()
}

// Hang is part of Peer.
func (c *conn) Hang(cause error) { c.hang(cause) }

// start tells the encoder to go ahead.
func (c *conn) start(p accepted) error {
	c.reader.SetLimits(c.server.Limits.Chunk)
	c.pace.admitted(c.server.Limits)
	c.write(userControl(streamBegin, p.streamID))
	c.onStatus(p.streamID, "status", "NetStream.Publish.Start", "the stream is now published")
	return c.flush()
}

// refuse logs why, tells the encoder, waits a moment so that it can read it,
// and returns why.
func (c *conn) refuse(streamID uint32, why error) error {
	c.log.Info().AnErr("cause", phase("publish", why)).Msg("refused")
	c.dismiss(streamID, why)
	return &toldError{why}
}

// dismiss is refuse for one of whose end the log will tell.
func (c *conn) dismiss(streamID uint32, why error) {
	c.onStatus(streamID, "error", status(why), why.Error())
	c.linger()
}

// reject is refuse for a connect command.
func (c *conn) reject(cmd command, why error) error {
	c.log.Info().AnErr("cause", phase("connect", why)).Msg("refused")
	description := why.Error()
	if r := (*Rejection)(nil); errors.As(why, &r) {
		description = r.Description
	}
	c.callFailed(cmd, "NetConnection.Connect.Rejected", description)
	c.linger()
	return &toldError{why}
}

// linger sends what was said, and gives the encoder lingerTime to read it or to
// go. What it still sends is thrown away, up to lingerBytes; then TCP holds it up.
func (c *conn) linger() {
	if err := c.flush(); err != nil {
		return
	}
	over := time.NewTimer(lingerTime)
	defer over.Stop()
	c.idle.until(lingerTime)
	c.idle.received, c.idle.failed = nil, nil
	if _, err := io.CopyN(io.Discard, c.idle, lingerBytes); err != nil {
		return
	}
	select {
	case <-over.C:
	case <-c.idle.ctx.Done():
	}
}

// tags carries a publication's tags to its sink until the encoder says
// goodbye (true) or the connection or the sink fails. It logs how it ended.
func (c *conn) tags(ctx context.Context, p accepted) (bye bool) {
	c.idle.every(c.server.Limits.IdleTimeout)
	began := c.server.Now()
	end := func(cause error) {
		p.sink.Close(cause)
		p.log.Info().AnErr("cause", cause).Stringer("after", c.server.Now().Sub(began).Round(time.Millisecond)).
			Uint64("bytes", c.reader.Received()).Msg("publication ended")
	}
	panics := true
	defer func() {
		if panics {
			end(errPanic)
		}
	}()
	bye, err := c.copyTags(&p)
	panics = false
	cause := err
	switch {
	case bye:
		cause = nil
	case ctx.Err() != nil:
		if cause = context.Cause(ctx); errors.Is(cause, context.Canceled) {
			cause = nil // it is this server that says goodbye
		}
	}
	end(cause)
	if sink := (*sinkError)(nil); errors.As(err, &sink) {
		err = sink.err
	}
	if ctx.Err() == nil && faulty(err) {
		c.dismiss(p.streamID, err)
	}
	return bye
}

// errPanic is the cause of an end that nothing else explains.
var errPanic = errors.New("internal error")

// sinkError is a fault of the media, not of the connection.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }
func (e *sinkError) Unwrap() error { return e.err }

// copyTags returns true when the encoder ended the publication itself.
func (c *conn) copyTags(p *accepted) (bye bool, err error) {
	write := func(tag flv.Tag) error {
		if err := p.sink.WriteTag(tag); err != nil {
			return &sinkError{err}
		}
		return nil
	}
	for _, t := range p.early {
		if err := write(t.Tag); err != nil {
			return false, err
		}
	}
	p.early = nil // what it needs for longer, the sink has copied
	for {
		m, err := c.read()
		if err == io.EOF && c.tunnelled() {
			return true, nil // only its client ends a tunnel like that, and some say no other goodbye
		}
		if err != nil {
			return false, err
		}
		if cmd, ok := parseCommand(m); ok {
			err := c.answer(cmd)
			if cmd.ends(p.streamID) {
				return true, nil // it need not wait for our answer
			}
			if err != nil {
				return false, err
			}
			continue
		}
		if m.Type == chunk.TypeAggregate {
			// A damaged one is dropped from where the damage begins.
			err = flv.SplitAggregate(m.Body, m.Timestamp, func(tag flv.Tag) error {
				if err := c.unwrapped(); err != nil {
					return err
				}
				return write(tag)
			})
		} else if tag, ok := tagOf(m); ok {
			err = write(tag)
		}
		var sink *sinkError
		var over *metrics.Exceeded
		if errors.As(err, &sink) || errors.As(err, &over) {
			return false, err
		}
	}
}

// read returns the next message that is not connection upkeep, acknowledging
// what came in.
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
		if n := c.reader.Received(); n-c.acked >= c.ackWindow {
			c.acked = n
			c.write(control(chunk.TypeAck, uint32(n)))
			if err := c.flush(); err != nil {
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
				if err := c.flush(); err != nil {
					return chunk.Message{}, err
				}
			}
		case chunk.TypeAck, chunk.TypeSetPeerBand:
		default:
			return m, nil
		}
	}
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

// idleReader reads from a connection under one of two deadlines: a fixed one,
// or one that each arrival pushes back.
type idleReader struct {
	ctx     context.Context // its end is the end of reading
	nc      net.Conn
	now     func() time.Time
	timeout time.Duration // 0: the deadline is fixed
	silence func() error  // asked at a moving deadline whether to go on; nil: no
	set     time.Time     // when the moving deadline was set
	heard   bool          // anything at all
	born    time.Time     // time.Now's: differences to it are those of a clock that nobody sets
	last    atomic.Int64  // when that was, ns since born

	failed    error                            // of received: it stays
	received  func(n int, now time.Time) error // judges each read; may be nil
	metrics   *metrics.Set
	uncounted uint64 // bytes that metrics have not been told of
}

// until gives all reads from here on d together.
func (r *idleReader) until(d time.Duration) {
	r.timeout, r.silence = 0, nil
	r.nc.SetReadDeadline(r.now().Add(d))
}

// every gives each read d of its own.
func (r *idleReader) every(d time.Duration) {
	r.timeout, r.set, r.silence = d, time.Time{}, nil
}

// watch gives all reads from here on as long as it takes, and has silence asked each
// time that d has passed without an arrival.
func (r *idleReader) watch(d time.Duration, silence func() error) {
	r.every(d)
	r.silence = silence
}

func (r *idleReader) Read(b []byte) (int, error) {
	if r.timeout > 0 {
		// A timer for each read would cost more than the read's parsing: the
		// deadline moves once in a sixteenth of its length.
		if now := r.now(); now.Sub(r.set) > r.timeout/16 {
			r.set = now
			r.count()
			r.nc.SetReadDeadline(now.Add(r.timeout))
		}
	}
	if r.failed != nil {
		return 0, r.failed
	}
	// Behind the deadline: were ctx to end before it was set, the wake-up that
	// came with the end would be undone.
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.nc.Read(b)
	for n == 0 && r.silence != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		if err := r.silence(); err != nil {
			return 0, err
		}
		r.nc.SetReadDeadline(r.now().Add(r.timeout))
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		n, err = r.nc.Read(b)
	}
	if n > 0 {
		r.heard = true
		r.uncounted += uint64(n)
		now := r.now()
		r.last.Store(int64(now.Sub(r.born)))
		if r.received != nil && r.failed == nil {
			r.failed = r.received(n, now)
		}
	}
	return n, err
}

// count tells the metrics what has come: once in a while, not for each read.
func (r *idleReader) count() {
	r.metrics.Ingested(r.uncounted)
	r.uncounted = 0
}
