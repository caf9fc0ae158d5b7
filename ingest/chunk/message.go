// Package chunk joins RTMP chunks into messages and cuts messages into chunks
// (Adobe RTMP 1.0, section 5.3).
package chunk

// Type is the message type id of a message header (section 7.1).
type Type uint8

// Message types that this project gives a meaning to. Others pass through a
// Reader untouched.
const (
	TypeSetChunkSize   Type = 1
	TypeAbort          Type = 2
	TypeAck            Type = 3
	TypeUserControl    Type = 4
	TypeWindowAckSize  Type = 5
	TypeSetPeerBand    Type = 6
	TypeAudio          Type = 8
	TypeVideo          Type = 9
	TypeDataAMF3       Type = 15
	TypeCommandAMF3    Type = 17
	TypeDataAMF0       Type = 18
	TypeCommandAMF0    Type = 20
	TypeAggregate      Type = 22
	ControlStreamID         = 2 // chunk stream of protocol control messages (section 5.4)
	DefaultChunkSize        = 128
	maxUsefulChunkSize      = 0xFFFFFF // no message is longer
	extendedTimestamp       = 0xFFFFFF // field value that announces 4 more bytes
)

// media tells whether a message carries audio or video, whose size limit is
// its own.
func (t Type) media() bool {
	return t == TypeAudio || t == TypeVideo || t == TypeAggregate
}

// Message is one RTMP message.
type Message struct {
	ChunkStreamID uint32
	StreamID      uint32 // message stream id; 0 is the connection itself
	Timestamp     uint32 // milliseconds modulo 2^32
	Type          Type
	Body          []byte // owner: see the function that takes or returns the Message
}
