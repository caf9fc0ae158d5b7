package chunk

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits bounds what a peer can make a Reader hold.
type Limits struct {
	MediaSize    uint32 // bytes of one audio, video or aggregate message
	CommandSize  uint32 // bytes of any other message
	Buffer       int    // bytes of the read buffer; 0: 64 KiB
	ChunkStreams int    // distinct chunk stream ids
	Incomplete   int    // bytes of all messages whose last chunk has not come
	MinChunkSize uint32 // smaller chunks cost more CPU than they carry
	ChunkSizes   int    // how often the chunk size may be set; 0: any number
}

// DefaultLimits are the limits of a publisher that has been let in.
func DefaultLimits() Limits {
	return Limits{
		MediaSize:    10 << 20,
		CommandSize:  256 << 10,
		ChunkStreams: 64,
		Incomplete:   16 << 20,
		MinChunkSize: 128,
		ChunkSizes:   10,
	}
}

// ControlError is too much of what keeps a connection going.
type ControlError struct{ text string }

func (e *ControlError) Error() string { return e.text }

// gulp is the size of the read buffer: large, because each read is a wake-up
// and wake-ups are what ingest costs.
const gulp = 64 << 10

// maxSpare is the largest body that is kept for the next message. A larger one
// may have been the only one of its size.
const maxSpare = 1 << 20

// Reader reads messages from a chunk stream. It obeys Set Chunk Size and Abort
// itself and returns every other message.
//
//	          buf                         stream (one per chunk stream id)
//	r ──gulp──▶ [ header | payload … ] ──▶ body grows by what was RECEIVED,
//	                 │                     never by what a header promises
//	                 └── a message that lies whole in buf is lent from there
type Reader struct {
	// Every message needs these: with many connections memory is cold when one comes.
	r          io.Reader
	buf        []byte
	start, end int
	received   uint64
	messages   uint64
	cur        *stream // stream of the chunk being read, nil between chunks
	last       *stream // whose chunk was read last, nil before the first
	left       uint32  // payload bytes of cur's chunk still to come
	chunkSize  uint32
	bodies     int // Σ cap(body) over streams, and cap(spare)
	limits     Limits

	streams    map[uint32]*stream
	incomplete int    // Σ len(body) over streams
	spare      []byte // body of the message lent last, reused for the next
	chunkSizes int    // times that the chunk size was set
}

// stream is the state that chunk headers of one chunk stream id inherit.
type stream struct {
	id        uint32
	timestamp uint32 // of the current message
	delta     uint32 // what a type 3 header adds when it starts a message
	length    uint32
	typ       Type
	msgStream uint32
	extended  bool   // the last full header had an extended timestamp …
	extension uint32 // … of this value
	open      bool   // a message has begun and is not complete
	body      []byte
}

// NewReader returns a Reader with the chunk size that every connection starts
// with.
func NewReader(r io.Reader, limits Limits) *Reader {
	return &Reader{
		r:         r,
		limits:    limits,
		chunkSize: DefaultChunkSize,
		streams:   make(map[uint32]*stream),
	}
}

// SetLimits replaces the limits, for a peer that is trusted with more. The
// chunk size may be set anew.
func (r *Reader) SetLimits(l Limits) {
	r.limits = l
	r.chunkSizes = 0
}

// Received is the number of bytes read so far, for acknowledgements.
func (r *Reader) Received() uint64 { return r.received }

// Messages is the number of messages read so far, those that r obeys among them.
// Whatever a peer does to keep r busy is one of them, or is payload: a chunk
// that doesn't end its message has as much as the smallest chunk size.
func (r *Reader) Messages() uint64 { return r.messages }

// Held is how many bytes of memory r has for what it reads: its buffer, messages
// that have begun and are not complete, and what it keeps for the next one.
// Beside the buffer that is at most [Limits].Incomplete, the quarter by which
// slices grow, 4 KiB for each chunk stream, and 2 MiB.
func (r *Reader) Held() int { return cap(r.buf) + r.bodies }

// ReadMessage returns the next message. Its Body is valid until the next call.
// A clean end between two messages is io.EOF; inside one, io.ErrUnexpectedEOF.
func (r *Reader) ReadMessage() (Message, error) {
	for {
		m, ok, err := r.next()
		if err != nil {
			return Message{}, err
		}
		if !ok {
			if err := r.fill(); err != nil {
				return Message{}, r.endError(err)
			}
			continue
		}
		r.messages++
		control, err := r.obey(m)
		if err != nil {
			return Message{}, err
		}
		if !control {
			return m, nil
		}
	}
}

func (r *Reader) endError(err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	if r.start < r.end || r.cur != nil || r.incomplete > 0 {
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}

// fill reads once from the connection, behind what is buffered: never more
// than a piece of a header, since next takes payload as it comes.
func (r *Reader) fill() error {
	buf := r.buf
	if size := cmp.Or(r.limits.Buffer, gulp); len(buf) < size {
		// Not before there is something to read: most strangers say nothing.
		buf = make([]byte, size)
	}
	r.end = copy(buf, r.buf[r.start:r.end])
	r.buf, r.start = buf, 0
	n, err := r.r.Read(r.buf[r.end:])
	r.end += n
	r.received += uint64(n)
	if n > 0 {
		return nil // an error comes again with the next Read
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// next takes chunks out of the buffer until a message is complete (true) or
// the buffer holds no more that can be used (false).
func (r *Reader) next() (Message, bool, error) {
	for {
		if r.cur == nil {
			ok, err := r.header()
			if err != nil || !ok {
				return Message{}, false, err
			}
		}
		s := r.cur
		avail := r.buf[r.start:r.end]
		if len(s.body) == 0 && r.left == s.length && uint32(len(avail)) >= r.left {
			// The whole message lies in the buffer: lend it from there.
			r.start += int(r.left)
			r.left, r.cur, s.open = 0, nil, false
			return s.message(avail[:s.length:s.length]), true, nil
		}
		n := min(uint32(len(avail)), r.left)
		if n == 0 && r.left > 0 {
			return Message{}, false, nil
		}
		if r.incomplete+int(n) > r.limits.Incomplete {
			return Message{}, false, fmt.Errorf("unfinished messages hold more than %d bytes", r.limits.Incomplete)
		}
		if s.body == nil && r.mayLend() {
			s.body, r.spare = r.spare[:0], nil
		}
		r.bodies -= cap(s.body)
		s.body = append(s.body, avail[:n]...)
		r.bodies += cap(s.body)
		r.start += int(n)
		r.left -= n
		r.incomplete += int(n)
		if r.left > 0 {
			continue
		}
		r.cur = nil
		if uint32(len(s.body)) == s.length {
			body := s.body
			r.incomplete -= len(body)
			s.body, s.open = nil, false
			gone := body
			if cap(body) <= maxSpare {
				gone, r.spare = r.spare, body
			}
			r.bodies -= cap(gone)
			return s.message(body[:len(body):len(body)]), true, nil
		}
	}
}

// mayLend tells whether a message that begins may have what is kept for it: a peer may
// begin one in each chunk stream, and end none.
func (r *Reader) mayLend() bool {
	const little = 4 << 10 // of sound, whose messages come between the chunks of a picture
	return r.incomplete == 0 || cap(r.spare) <= little
}

func (s *stream) message(body []byte) Message {
	return Message{ChunkStreamID: s.id, StreamID: s.msgStream, Timestamp: s.timestamp, Type: s.typ, Body: body}
}

// stream is the chunk stream of an id, nil where there is none yet. Most chunks are of
// the one before.
func (r *Reader) stream(id uint32) *stream {
	if r.last != nil && r.last.id == id {
		return r.last
	}
	return r.streams[id]
}

// header reads one chunk header (section 5.3.1) and makes its stream current.
// It consumes nothing and returns false when the header is not whole yet.
func (r *Reader) header() (bool, error) {
	b := r.buf[r.start:r.end]
	format, id, n, ok := basicHeader(b)
	if !ok {
		return false, nil
	}
	size := n + [4]int{11, 7, 3, 0}[format]
	if len(b) < size {
		return false, nil
	}
	s := r.stream(id)
	if s == nil {
		// A first header that inherits (types 1 to 3) inherits zeros: some
		// encoders answer a ping so, and one starts with an empty type 2.
		if len(r.streams) >= r.limits.ChunkStreams {
			return false, fmt.Errorf("more than %d chunk streams", r.limits.ChunkStreams)
		}
		s = &stream{id: id}
	}
	if s.open && format != 3 {
		return false, fmt.Errorf("chunk stream %d: type %d header inside a message", id, format)
	}

	next := *s // becomes s once the header is known to be whole
	field := s.delta
	if format < 3 {
		field = uint24(b[n:])
		next.extended = field == extendedTimestamp
	}
	if format < 2 {
		next.length, next.typ = uint24(b[n+3:]), Type(b[n+6])
	}
	if format == 0 {
		next.msgStream = binary.LittleEndian.Uint32(b[n+7:])
	}
	if next.extended && (format < 3 || s.repeatsExtension(b[size:])) {
		if len(b) < size+4 {
			return false, nil
		}
		if format < 3 {
			next.extension = binary.BigEndian.Uint32(b[size:])
			field = next.extension
		}
		size += 4
	}
	if !s.open {
		if err := r.checkLength(next.typ, next.length); err != nil {
			return false, fmt.Errorf("chunk stream %d: %w", id, err)
		}
		next.delta = field
		if format == 0 {
			next.timestamp = field
		} else {
			next.timestamp += field // modulo 2^32: a step back is a huge delta
		}
		next.open = true
	}
	*s = next
	if r.last != s {
		r.streams[id], r.last = s, s
	}
	r.start += size
	r.cur = s
	r.left = min(r.chunkSize, s.length-uint32(len(s.body)))
	return true, nil
}

// repeatsExtension tells whether b, what follows a type 3 header, goes on with
// the extended timestamp. Adobe repeats the four bytes there, librtmp and its
// descendants don't: they are there when they are the same. Of fewer than four
// it tells what they can become: the last payload of a message may be as short,
// and nothing may come behind it for long.
func (s *stream) repeatsExtension(b []byte) bool {
	const top = 1 << 31 // some writers clear it
	b = b[:min(len(b), 4)]
	for _, v := range [...]uint32{s.extension, s.extension ^ top, s.timestamp} {
		var want [4]byte
		binary.BigEndian.PutUint32(want[:], v)
		if bytes.HasPrefix(want[:], b) {
			return true
		}
	}
	return false
}

func (r *Reader) checkLength(t Type, length uint32) error {
	limit := r.limits.CommandSize
	if t.media() {
		limit = r.limits.MediaSize
	}
	if length > limit {
		return fmt.Errorf("message of type %d announces %d bytes, the limit is %d", t, length, limit)
	}
	return nil
}

// basicHeader parses 1 to 3 bytes (section 5.3.1.1). Ids may be written
// longer than they need to be.
func basicHeader(b []byte) (format int, id uint32, size int, ok bool) {
	if len(b) == 0 {
		return 0, 0, 0, false
	}
	format, id = int(b[0]>>6), uint32(b[0]&0x3F)
	switch {
	case id == 0 && len(b) >= 2:
		return format, 64 + uint32(b[1]), 2, true
	case id == 1 && len(b) >= 3:
		return format, 64 + uint32(b[1]) + 256*uint32(b[2]), 3, true
	case id >= 2:
		return format, id, 1, true
	}
	return 0, 0, 0, false
}

// obey carries out the two messages that concern the chunk layer alone
// (sections 5.4.1 and 5.4.2) and tells whether m was one.
func (r *Reader) obey(m Message) (bool, error) {
	switch m.Type {
	case TypeSetChunkSize:
		if len(m.Body) < 4 {
			return true, errors.New("set chunk size: short body")
		}
		size := binary.BigEndian.Uint32(m.Body)
		if size < r.limits.MinChunkSize || size >= 1<<31 {
			return true, fmt.Errorf("set chunk size: %d is out of range (%d to 2147483647)", size, r.limits.MinChunkSize)
		}
		if r.chunkSizes++; r.limits.ChunkSizes > 0 && r.chunkSizes > r.limits.ChunkSizes {
			return true, &ControlError{fmt.Sprintf("set chunk size: %d times, the limit is %d", r.chunkSizes, r.limits.ChunkSizes)}
		}
		r.chunkSize = min(size, maxUsefulChunkSize)
		return true, nil
	case TypeAbort:
		if len(m.Body) < 4 {
			return true, errors.New("abort: short body")
		}
		if s, ok := r.streams[binary.BigEndian.Uint32(m.Body)]; ok && s.open {
			r.incomplete -= len(s.body)
			r.bodies -= cap(s.body)
			s.body, s.open = nil, false
		}
		return true, nil
	}
	return false, nil
}

func uint24(b []byte) uint32 {
	return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
}
