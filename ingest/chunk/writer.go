package chunk

import (
	"encoding/binary"
	"io"
)

// Writer cuts messages into chunks, with the shortest headers that the
// protocol allows. Messages gather in memory until Flush.
type Writer struct {
	w         io.Writer
	buf       []byte
	chunkSize uint32
	last      map[uint32]written
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
func (w *Writer) WriteMessage(m Message) {
	now := written{
		timestamp: m.Timestamp,
		delta:     m.Timestamp, // a type 3 header behind a type 0 repeats it
		length:    uint32(len(m.Body)),
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
	for body := m.Body; ; {
		if extended { // repeated in each chunk, as Adobe's own software does
			b = binary.BigEndian.AppendUint32(b, field)
		}
		n := min(len(body), int(w.chunkSize))
		b = append(b, body[:n]...)
		if body = body[n:]; len(body) == 0 {
			break
		}
		b = appendBasicHeader(b, 3, m.ChunkStreamID)
	}
	w.buf = b
}

// Flush sends all messages written since the last Flush, in one Write.
func (w *Writer) Flush() error {
	_, err := w.w.Write(w.buf)
	w.buf = w.buf[:0]
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

func appendUint24(b []byte, v uint32) []byte {
	return append(b, byte(v>>16), byte(v>>8), byte(v))
}
