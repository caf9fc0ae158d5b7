package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
)

const (
	audioStream = 4 // chunk streams of what is played
	videoStream = 6
	dataStream  = 7

	// batch is what is written at a time, under one deadline: who takes less than that
	// in a WriteTimeout is gone.
	batch = 128 << 10

	// pingInterval is how long a reader may be silent before he is asked whether he is
	// there. Nobody need answer who takes what he is sent.
	pingInterval = 20 * time.Second
	mostPings    = 3

	mostOrders = 64 // that wait, of one stream

	// restTime is how long a paused reader keeps its place.
	restTime = 5 * time.Second
)

// reading is one stream of a connection that is played: a goroutine that writes.
//
//	conn: play, pause, … ──orders──▶ reading ──Next──▶ Source
//	                                        └─────────▶ the peer
type reading struct {
	conn     *conn
	streamID uint32
	reset    bool // the reader wants to hear that nothing else is played
	log      zerolog.Logger
	cancel   context.CancelCauseFunc
	done     chan struct{}
	orders   chan func(*reading)

	mu        sync.Mutex
	interrupt context.CancelFunc // ends a wait for more

	// Of its goroutine.
	source Source
	paused bool
	sent   uint64 // bytes
}

// player is who gives streams to readers, or nil.
func (s *Server) player() Player {
	p, _ := s.Handler.(Player)
	return p
}

// plays does a command of readers. It returns false for a command that is none.
func (c *conn) plays(ctx context.Context, s connected, cmd command) bool {
	if c.server.player() == nil {
		return false
	}
	switch cmd.name {
	case "play":
		c.play(ctx, s, cmd, cmd.stringArg(0), cmd.flag(3, true))
	case "play2":
		name := ""
		if len(cmd.args) > 0 {
			name = amf.Properties(cmd.args[0]).String("streamName")
		}
		c.play(ctx, s, cmd, name, false)
	case "pause", "pauseRaw":
		c.order(cmd, (*reading).pause, cmd.flag(0, true))
	case "seek":
		c.order(cmd, (*reading).seek, true)
	case "receiveAudio":
		c.order(cmd, (*reading).receiveAudio, cmd.flag(0, true))
	case "receiveVideo":
		c.order(cmd, (*reading).receiveVideo, cmd.flag(0, true))
	case "closeStream", "deleteStream":
		return c.closes(cmd)
	case "getStreamLength":
		c.reply(commandStream, 0, "_result", cmd.txn, amf.Null{}, 0.0) // a live stream has none
	case "FCSubscribe":
		c.reply(commandStream, 0, "onFCSubscribe", 0, amf.Null{}, info("status", "NetStream.Play.Start", short(cmd.stringArg(0))))
		c.reply(commandStream, 0, "_result", cmd.txn, amf.Null{}, amf.Undefined{})
	case "FCUnsubscribe":
		c.reply(commandStream, 0, "_result", cmd.txn, amf.Null{}, amf.Undefined{})
	default:
		return false
	}
	return true
}

// closes ends what a command closes. It returns false where that is nothing that is played.
func (c *conn) closes(cmd command) (some bool) {
	for id := range c.readings {
		if cmd.ends(id) {
			c.stopReading(id)
			some = true
		}
	}
	if some && !c.reads() {
		c.idle.until(c.server.Limits.PublishTimeout)
	}
	return some
}

// flag is a boolean argument, which some clients send as a number; def where it is
// left out.
func (c command) flag(i int, def bool) bool {
	if i < len(c.args) {
		switch v := c.args[i].(type) {
		case bool:
			return v
		case float64:
			return v != 0
		}
	}
	return def
}

// play begins to play a stream, in the place of what its message stream played.
func (c *conn) play(ctx context.Context, s connected, cmd command, name string, reset bool) {
	c.stopReading(cmd.streamID)
	refuse := func(why string) { c.onStatus(cmd.streamID, "error", "NetStream.Play.Failed", why) }
	player := c.server.player()
	r := c.request(s, name)
	if !strings.Contains(s.query, "=") { // some have the query in the URL alone
		if u, err := url.Parse(s.tcURL); err == nil {
			r.Query = strings.Trim(r.Query+"&"+u.RawQuery, "&")
		}
	}
	switch {
	case len(c.readings) >= maxNetStreams:
		refuse("too many streams on this connection")
		return
	case len(r.Query) > maxQuery:
		refuse(fmt.Sprintf("a query of %d bytes, the limit is %d", len(r.Query), maxQuery))
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	p := &reading{
		conn: c, streamID: cmd.streamID, reset: reset, log: c.log, cancel: cancel,
		done: make(chan struct{}), orders: make(chan func(*reading), mostOrders), interrupt: func() {},
	}
	if c.readings == nil {
		c.readings = make(map[uint32]*reading)
	}
	c.readings[cmd.streamID] = p
	c.took = c.server.Now()
	c.idle.watch(pingInterval, c.silence)
	go p.run(ctx, player, r)
}

// order lets the goroutine of a stream do something, if the stream is played.
func (c *conn) order(cmd command, do func(*reading, bool), on bool) {
	p := c.readings[cmd.streamID]
	if p == nil {
		return
	}
	select {
	case p.orders <- func(p *reading) { do(p, on) }:
	default: // it takes none: it writes to one who takes nothing
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.interrupt()
}

// stopReading ends what a message stream plays, and waits until that is so.
func (c *conn) stopReading(streamID uint32) {
	if p := c.readings[streamID]; p != nil {
		p.cancel(errClosed)
		<-p.done
		delete(c.readings, streamID)
	}
}

// stopReadings ends all, as their reader is gone or as the connection ends.
func (c *conn) stopReadings(ctx context.Context) {
	why := errClosed
	if ctx.Err() != nil { // what they play may hear of that later than whoever reads the connection
		why = context.Cause(ctx)
	}
	for _, p := range c.readings {
		p.cancel(why)
	}
	for id := range c.readings {
		c.stopReading(id)
	}
}

// reads tells whether any stream is played.
func (c *conn) reads() bool {
	for _, p := range c.readings {
		select {
		case <-p.done:
		default:
			return true
		}
	}
	return false
}

// errClosed ends what its reader plays no longer: he needn't be told.
var errClosed = errors.New("closed by the reader")

var errNotThere = errors.New("the reader takes nothing and answers nothing")

// silence is told when a reader has been silent for a while.
func (c *conn) silence() error {
	now := c.server.Now()
	if sent := c.sent.Load(); sent != c.noted {
		c.noted, c.took = sent, now
	}
	const most = mostPings * pingInterval
	switch {
	case !c.reads():
		return &toldError{errNotThere}
	case c.Silent() > most && now.Sub(c.took) > most:
		c.hang(errNotThere) // the log has it with the end of what it played
		return &toldError{errNotThere}
	}
	c.write(userControl(pingRequest, uint32(c.server.Now().UnixMilli())))
	return c.flush()
}

// run is the life of a stream that is played.
func (p *reading) run(ctx context.Context, player Player, r Request) {
	c := p.conn
	defer close(p.done)
	defer func() {
		if v := recover(); v != nil {
			p.log.Error().Interface("panic", v).Bytes("stack", debug.Stack()).Msg("reader failed")
			c.hang(errPanic)
		}
	}()
	stream, source, err := player.Play(ctx, r)
	if err != nil {
		if ctx.Err() == nil {
			p.log.Info().AnErr("cause", phase("play", err)).Msg("refused")
			c.onStatus(p.streamID, "error", playStatus(err), err.Error())
			c.lost(c.flush())
		}
		return
	}
	defer source.Close()
	c.server.Metrics.Reading(1)
	defer c.server.Metrics.Reading(-1)
	p.source, p.log = source, p.log.With().Str("stream", stream).Logger()
	p.log.Info().Str("software", r.Software).Bool("tls", r.Encrypted).Str("protocol", p.conn.protocol()).Msg("playing")
	began := c.server.Now()
	if err = p.start(r.Via); err == nil {
		err = p.copy(ctx)
	}
	switch {
	case errors.Is(err, io.EOF):
		p.end("the stream has ended")
		err = nil
	case ctx.Err() != nil:
		if err = context.Cause(ctx); errors.Is(err, context.Canceled) {
			p.end("the server stops")
			err = nil
		}
	default:
		c.lost(err)
	}
	p.log.Info().AnErr("cause", err).Stringer("after", c.server.Now().Sub(began).Round(time.Millisecond)).
		Uint64("bytes", p.sent).Msg("play ended")
}

// lost hangs up on a peer that can't be written to.
func (c *conn) lost(err error) {
	if err != nil {
		c.hang(phase("write", err))
	}
}

// start tells a reader that tags follow.
func (p *reading) start(via []string) error {
	c := p.conn
	c.write(userControl(streamBegin, p.streamID))
	if p.reset {
		c.onStatus(p.streamID, "status", "NetStream.Play.Reset", "playing and resetting")
	}
	c.status(p.streamID, tellVia(info("status", "NetStream.Play.Start", "playing"), via, p.source))
	c.onStatus(p.streamID, "status", "NetStream.Play.PublishNotify", "the stream is published")
	c.write(chunk.Message{
		ChunkStreamID: statusStream, StreamID: p.streamID, Type: chunk.TypeDataAMF0,
		Body: amf.Append(nil, "|RtmpSampleAccess", true, true),
	})
	return c.flush()
}

// end tells a reader that no tags follow.
func (p *reading) end(why string) {
	c := p.conn
	c.onStatus(p.streamID, "status", "NetStream.Play.UnpublishNotify", why)
	c.write(userControl(streamEOF, p.streamID))
	c.lost(c.flush())
}

// copy writes the tags of the source until there are no more, or the context ends.
func (p *reading) copy(ctx context.Context) error {
	wait, cancel := p.renew(ctx)
	defer func() { cancel() }()
	for {
		if err := p.obey(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.conn.move.Load() != nil { // it may say nothing for long
			if err := p.conn.askToMove(); err != nil {
				return err
			}
		}
		if !p.paused {
			if some, err := p.batch(); err != nil {
				return err
			} else if some {
				continue
			}
		}
		var err error
		if p.paused {
			err = p.rest(wait)
		} else {
			err = p.source.More(wait)
		}
		if wait.Err() != nil {
			cancel()
			wait, cancel = p.renew(ctx)
		} else if err != nil {
			return err
		}
	}
}

// rest waits until the next order. What has waited for a reader for longer than restTime, it
// would be too late for: nothing is held for it any more.
func (p *reading) rest(wait context.Context) error {
	timer := time.NewTimer(restTime)
	defer timer.Stop()
	select {
	case <-wait.Done():
		return nil
	case <-timer.C:
		return p.source.Rest(wait)
	}
}

// renew is a context that the next order ends.
func (p *reading) renew(ctx context.Context) (context.Context, context.CancelFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait, cancel := context.WithCancel(ctx)
	p.interrupt = cancel
	return wait, cancel
}

// obey does what was ordered.
func (p *reading) obey() error {
	did := false
	for {
		select {
		case do := <-p.orders:
			do(p)
			did = true
		default:
			if !did {
				return nil
			}
			return p.conn.flush()
		}
	}
}

// batch writes tags, as many as go under one deadline. It returns false where there
// are none.
func (p *reading) batch() (some bool, err error) {
	c := p.conn
	c.out.Lock()
	defer c.out.Unlock()
	for c.writer.Size() < batch {
		d, ok := p.source.Next()
		if !ok {
			break
		}
		some = true
		c.writer.WriteShared(p.message(&d), d.Head)
	}
	if !some {
		return false, nil
	}
	n := uint64(c.writer.Size())
	if err := c.send(); err != nil {
		return true, err
	}
	p.sent += n
	c.sent.Add(n)
	c.server.Metrics.Played(n)
	return true, nil
}

// message is a tag on its way.
func (p *reading) message(d *flv.Drawn) chunk.Message {
	m := chunk.Message{ChunkStreamID: dataStream, StreamID: p.streamID, Timestamp: d.Timestamp, Type: chunk.Type(d.Type), Body: d.Body}
	switch d.Type {
	case flv.TagAudio:
		m.ChunkStreamID = audioStream
	case flv.TagVideo:
		m.ChunkStreamID = videoStream
	}
	return m
}

func (p *reading) pause(on bool) {
	code, text := "NetStream.Unpause.Notify", "playing"
	if p.paused = on; on {
		code, text = "NetStream.Pause.Notify", "paused"
	}
	p.conn.onStatus(p.streamID, "status", code, text)
}

// seek says no, in a way that nobody takes for the end: FFmpeg gives up at a level of
// error, and waits for the second message before it goes on.
func (p *reading) seek(bool) {
	p.conn.onStatus(p.streamID, "warning", "NetStream.Seek.Failed", "a live stream can't be sought")
	p.conn.onStatus(p.streamID, "status", "NetStream.Seek.Notify", "it goes on where it is")
}

func (p *reading) receiveAudio(on bool) { p.receive(flv.Audio, on) }
func (p *reading) receiveVideo(on bool) { p.receive(flv.Video, on) }

func (p *reading) receive(kind flv.Kind, on bool) {
	if p.source.Receive(kind, on); on { // Adobe RTMP 1.0, sections 7.2.2.4 and 7.2.2.5
		p.conn.onStatus(p.streamID, "status", "NetStream.Seek.Notify", "it goes on where it is")
		p.conn.onStatus(p.streamID, "status", "NetStream.Play.Start", "playing")
	}
}

// flashPlayer tells whether a peer connects as the Flash Player did, and those who read
// do to this day: encoders call themselves FMLE, or say that they are "nonprivate".
// Rules for publishers, a login among them, are not for readers.
func flashPlayer(connect amf.Object) bool {
	if _, ok := connect.Get("type"); ok {
		return false
	}
	system, _, ok := strings.Cut(connect.String("flashVer"), " ")
	return ok && (system == "LNX" || system == "WIN" || system == "MAC" || system == "AND" || system == "IOS")
}
