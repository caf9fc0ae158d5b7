package ingest

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
)

// User control events (Adobe RTMP 1.0, section 7.1.7).
const (
	streamBegin  = 0
	streamEOF    = 1
	pingRequest  = 6
	pingResponse = 7
)

// command is a parsed command message (section 7.2).
type command struct {
	name     string
	txn      float64
	object   amf.Object // the command object; nil of most
	args     []any      // what follows it
	streamID uint32
}

// parseCommand returns false for a message that is no command, or none that
// can be understood: such a message is skipped.
func parseCommand(m chunk.Message) (command, bool) {
	body := m.Body
	switch m.Type {
	case chunk.TypeCommandAMF0:
	case chunk.TypeCommandAMF3:
		body = skipFormat(body)
	default:
		return command{}, false
	}
	values, _ := amf.Decode(body) // what came before a fault may be enough
	if len(values) == 0 {
		return command{}, false
	}
	c := command{streamID: m.StreamID}
	var ok bool
	if c.name, ok = values[0].(string); !ok {
		return command{}, false
	}
	rest := values[1:]
	if len(rest) > 0 && amf.Properties(rest[0]) == nil { // else the transaction id was forgotten
		c.txn, _ = rest[0].(float64)
		rest = rest[1:]
	}
	if len(rest) > 0 {
		c.object, c.args = amf.Properties(rest[0]), rest[1:]
	}
	return c, true
}

// skipFormat drops the format byte that AMF3 messages begin with, and that
// some encoders forget: what follows is AMF0.
func skipFormat(body []byte) []byte {
	if len(body) > 0 && body[0] == 0 {
		return body[1:]
	}
	return body
}

func (c command) stringArg(i int) string {
	if i < len(c.args) {
		s, _ := c.args[i].(string)
		return s
	}
	return ""
}

// ends tells whether c is a goodbye to the publication on a message stream.
// GStreamer names the stream by a string where the others give its number.
func (c command) ends(streamID uint32) bool {
	switch c.name {
	case "FCUnpublish":
		return true
	case "closeStream":
		return c.streamID == streamID || c.streamID == 0
	case "deleteStream":
		if len(c.args) > 0 {
			if id, ok := c.args[0].(float64); ok {
				return uint32(id) == streamID
			}
		}
		return true
	}
	return false
}

// answer replies to any command but connect and publish. None is a fault.
func (c *conn) answer(cmd command) error {
	switch cmd.name {
	case "createStream":
		c.netStreams++
		if c.netStreams > maxNetStreams {
			c.callFailed(cmd, callFailed, "too many streams on this connection")
			break
		}
		c.reply(commandStream, 0, "_result", cmd.txn, amf.Null{}, float64(c.netStreams))
	case "releaseStream", "_checkbw":
		c.reply(commandStream, 0, "_result", cmd.txn, amf.Null{}, amf.Undefined{})
	case "FCPublish":
		// Some hardware waits for onFCPublish with its own transaction id.
		c.reply(commandStream, 0, "onFCPublish", cmd.txn, amf.Null{}, info("status", "NetStream.Publish.Start", short(cmd.stringArg(0))))
		c.reply(commandStream, 0, "_result", cmd.txn, amf.Null{}, amf.Undefined{})
	case "FCUnpublish":
		c.reply(commandStream, 0, "onFCUnpublish", 0, amf.Null{}, info("status", "NetStream.Unpublish.Success", short(cmd.stringArg(0))))
		c.reply(commandStream, 0, "_result", cmd.txn, amf.Null{}, amf.Undefined{})
	case "deleteStream", "closeStream":
		c.onStatus(cmd.streamID, "status", "NetStream.Unpublish.Success", "Stream is now unpublished.")
	case "publish":
		why := "this connection publishes a stream already"
		if c.reads() {
			why = "this connection plays a stream: publish by another one"
		}
		c.onStatus(cmd.streamID, "error", "NetStream.Publish.BadName", why)
	case "play", "play2":
		why := "this connection publishes a stream: play it by another one"
		if c.server.player() == nil {
			why = "RTMP is for publishing alone here (rtmp.play): open the stream's page by HTTP"
		}
		c.onStatus(cmd.streamID, "error", "NetStream.Play.StreamNotFound", why)
	case "_result", "_error", "onStatus", "onBWDone":
	default:
		if cmd.txn != 0 {
			c.callFailed(cmd, callFailed, "unknown command "+short(cmd.name))
		}
	}
	return c.flush()
}

const callFailed = "NetConnection.Call.Failed"

func (c *conn) callFailed(cmd command, code, why string) {
	c.reply(commandStream, 0, "_error", cmd.txn, amf.Null{}, info("error", code, why))
}

// onStatus reports on a message stream. Some encoders filter it by the stream
// id in the message header.
func (c *conn) onStatus(streamID uint32, level, code, description string) {
	c.status(streamID, info(level, code, description))
}

func (c *conn) status(streamID uint32, information amf.Object) {
	c.reply(statusStream, streamID, "onStatus", 0, amf.Null{}, information)
}

func (c *conn) reply(chunkStream, streamID uint32, name string, txn float64, values ...any) {
	body := amf.Append(nil, name, txn)
	c.write(chunk.Message{
		ChunkStreamID: chunkStream,
		StreamID:      streamID,
		Type:          chunk.TypeCommandAMF0,
		Body:          amf.Append(body, values...),
	})
}

func info(level, code, description string) amf.Object {
	return amf.Object{
		{Name: "level", Value: level},
		{Name: "code", Value: code},
		{Name: "description", Value: description},
	}
}

func control(t chunk.Type, value uint32) chunk.Message {
	return chunk.Message{
		ChunkStreamID: chunk.ControlStreamID,
		Type:          t,
		Body:          binary.BigEndian.AppendUint32(nil, value),
	}
}

func userControl(event uint16, value uint32) chunk.Message {
	m := control(chunk.TypeUserControl, 0)
	m.Body = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, event), value)
	return m
}

// setDataFrame is what encoders put before onMetaData; it is not part of the
// script tag.
var setDataFrame = amf.Append(nil, "@setDataFrame")

// tagOf returns the FLV tag that a message is, if it is one.
func tagOf(m chunk.Message) (flv.Tag, bool) {
	tag := flv.Tag{Timestamp: m.Timestamp, Body: m.Body}
	switch m.Type {
	case chunk.TypeAudio:
		tag.Type = flv.TagAudio
	case chunk.TypeVideo:
		tag.Type = flv.TagVideo
	case chunk.TypeDataAMF0, chunk.TypeDataAMF3:
		tag.Type = flv.TagScript
		if m.Type == chunk.TypeDataAMF3 {
			tag.Body = skipFormat(tag.Body)
		}
		tag.Body = bytes.TrimPrefix(tag.Body, setDataFrame)
	default:
		return flv.Tag{}, false
	}
	return tag, true
}

// earlyTags are metadata and decoder configurations that an encoder sent before it
// was let in: the last of each track. Frames before that are nobody's loss.
type earlyTags []earlyTag

type earlyTag struct {
	flv.Tag
	of []origin
}

// origin is whose configuration a packet is, or that it is metadata.
type origin struct {
	packet flv.PacketType
	kind   flv.Kind
	track  uint8
}

// mostEarlyTags are more tracks than an encoder sends.
const mostEarlyTags = 16

func (e *earlyTags) keep(m chunk.Message) {
	tag, ok := tagOf(m)
	if !ok {
		return
	}
	var of []origin
	for p, err := range flv.Packets(tag) {
		if err == nil && p.Type != flv.PacketFrame && p.Type != flv.PacketEnd {
			of = append(of, origin{p.Type, p.Kind, p.TrackID})
		}
	}
	if len(of) == 0 {
		return
	}
	outdated := func(t earlyTag) bool {
		return !slices.ContainsFunc(t.of, func(o origin) bool { return !slices.Contains(of, o) })
	}
	tag.Body = bytes.Clone(tag.Body)
	*e = append(slices.DeleteFunc(*e, outdated), earlyTag{tag, of})
	*e = (*e)[max(0, len(*e)-mostEarlyTags):]
}
