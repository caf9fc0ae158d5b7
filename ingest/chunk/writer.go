package chunk

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// Writer cuts messages into chunks, with the shortest headers that the
// protocol allows. Messages gather in memory until Flush.
type Writer struct {
	w         io.Writer
	buf       []byte
	lent      []lent // what comes between the bytes of buf
	size      int    // of all that gathered
	chunkSize uint32
	last      map[uint32]written
	pieces    net.Buffers // of a Flush
}

// lent is bytes that are somebody else's, and where in buf they come.
type lent struct {
	at    int
	bytes []byte
}

// written is what a later header on the same chunk stream may leave out.
type written struct {
	timestamp, delta, length, msgStream uint32
	typ                                 Type
}

// NewWriter returns a Writer with the chunk size that every connection starts
// with.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, chunkSize: DefaultChunkSize, last: make(map[uint32]written)}
}

// SetChunkSize tells the peer a new chunk size (128 to 0xFFFFFF) and uses it
// from the next message on.
func (w *Writer) SetChunkSize(n uint32) {
	w.WriteMessage(Message{
		ChunkStreamID: ControlStreamID,
		Type:          TypeSetChunkSize,
		Body:          binary.BigEndian.AppendUint32(nil, n),
	})
	w.chunkSize = n
}

// WriteMessage appends m to what the next Flush sends. Body is copied.
func (w *Writer) WriteMessage(m Message) { w.write(m, nil, m.Body) }

// WriteShared appends a message to what the next Flush sends, whose body is head, and
// behind that m's. head is copied. m's must not be modified until then.
func (w *Writer) WriteShared(m Message, head []byte) { w.write(m, m.Body, head) }

// Size is how many bytes the next Flush sends.
func (w *Writer) Size() int { return w.size }

// worthwhile is how many bytes it takes that a copy of them costs more than to send
// them from where they are.
const worthwhile = 2 << 10

// write appends a message whose body is head and then body, of which only head is copied
// in any case.
func (w *Writer) write(m Message, body, head []byte) {
	now := written{
		timestamp: m.Timestamp,
		delta:     m.Timestamp, // a type 3 header behind a type 0 repeats it
		length:    uint32(len(head) + len(body)),
		msgStream: m.StreamID,
		typ:       m.Type,
	}
	format, field := 0, m.Timestamp
	if last, ok := w.last[m.ChunkStreamID]; ok && last.msgStream == m.StreamID && m.Timestamp >= last.timestamp {
		field = m.Timestamp - last.timestamp
		now.delta = field
		switch {
		case last.length != now.length || last.typ != now.typ:
			format = 1
		case last.delta != field:
			format = 2
		default:
			format = 3
		}
	}
	w.last[m.ChunkStreamID] = now

	extended := field >= extendedTimestamp
	before := len(w.buf)
	b := appendBasicHeader(w.buf, format, m.ChunkStreamID)
	if format < 3 {
		b = appendUint24(b, min(field, extendedTimestamp))
	}
	if format < 2 {
		b = append(appendUint24(b, now.length), byte(m.Type))
	}
	if format == 0 {
		b = binary.LittleEndian.AppendUint32(b, m.StreamID)
	}
	if extended {
		b = binary.BigEndian.AppendUint32(b, field)
	}
	room := int(w.chunkSize)
	for len(head) > room {
		b = append(b, head[:room]...)
		head = head[room:]
		b = appendNext(b, m.ChunkStreamID, extended, field)
	}
	b = append(b, head...)
	room -= len(head)
	for len(body) > 0 {
		if room == 0 {
			b = appendNext(b, m.ChunkStreamID, extended, field)
			room = int(w.chunkSize)
		}
		n := min(len(body), room)
		if n >= worthwhile {
			w.lent = append(w.lent, lent{len(b), body[:n:n]})
			w.size += n
		} else {
			b = append(b, body[:n]...)
		}
		body, room = body[n:], room-n
	}
	w.size += len(b) - before
	w.buf = b
}

// Flush sends all messages written since the last Flush: in one Write, unless some
// bytes are not ours.
func (w *Writer) Flush() error {
	defer w.forget()
	if len(w.lent) == 0 {
		_, err := w.w.Write(w.buf)
		return err
	}
	from := 0
	for _, l := range w.lent {
		w.pieces = append(w.pieces, w.buf[from:l.at], l.bytes)
		from = l.at
	}
	if from < len(w.buf) {
		w.pieces = append(w.pieces, w.buf[from:])
	}
	return send(w.w, w.pieces)
}

// forget forgets what was sent, or never will be.
func (w *Writer) forget() {
	clear(w.lent) // they are somebody else's memory
	clear(w.pieces)
	w.buf, w.lent, w.pieces, w.size = w.buf[:0], w.lent[:0], w.pieces[:0], 0
}

// buffers are lent to those who send pieces by a connection that takes one at a time,
// as TLS does: one each would be most of what a reader takes.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// send writes pieces, all at once where the connection can.
func send(to io.Writer, pieces net.Buffers) error {
	if w, ok := to.(interface {
		WriteBuffers(net.Buffers) (int64, error)
	}); ok {
		_, err := w.WriteBuffers(pieces)
		return err
	}
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	n := 0
	for _, p := range pieces {
		for len(p) > 0 {
			k := copy(buffer[n:], p)
			if n, p = n+k, p[k:]; n == len(buffer) {
				if _, err := to.Write(buffer[:n]); err != nil {
					return err
				}
				n = 0
			}
		}
	}
	_, err := to.Write(buffer[:n])
	return err
}

func appendBasicHeader(b []byte, format int, id uint32) []byte {
	top := byte(format << 6)
	switch {
	case id < 64:
		return append(b, top|byte(id))
	case id < 64+256:
		return append(b, top, byte(id-64))
	default:
		return append(b, top|1, byte(id-64), byte((id-64)>>8))
	}
}

// appendNext begins another chunk of the same message. An extended timestamp is repeated in
// each, as Adobe's own software does.
func appendNext(b []byte, id uint32, extended bool, field uint32) []byte {
	if b = appendBasicHeader(b, 3, id); extended {
		b = binary.BigEndian.AppendUint32(b, field)
	}
	return b
}

func appendUint24(b []byte, v uint32) []byte {
	return append(b, byte(v>>16), byte(v>>8), byte(v))
}
