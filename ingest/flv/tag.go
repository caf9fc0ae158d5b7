// Package flv reads FLV tags: the bodies of RTMP audio, video and data
// messages, and the file format that holds the same tags.
package flv

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// TagType tells what a tag carries.
type TagType uint8

// The three types of tags (FLV file format 10.1, annex E.4.1).
const (
	TagAudio  TagType = 8
	TagVideo  TagType = 9
	TagScript TagType = 18
)

func (t TagType) String() string {
	switch t {
	case TagAudio:
		return "audio"
	case TagVideo:
		return "video"
	case TagScript:
		return "script"
	}
	return fmt.Sprintf("tag type %d", uint8(t))
}

// Tag is one FLV tag, or the RTMP message that is the same thing.
type Tag struct {
	Type      TagType
	Timestamp uint32 // milliseconds modulo 2^32
	Body      []byte // borrowed: valid until the call that got the Tag returns

	// Arrived is when its last byte came, by a clock of the giver's: only differences say
	// something. It is zero where nobody noted that, of tags out of a file among others: they
	// come when they are handed on.
	Arrived time.Time
}

// tagHeaderSize is type 1, size 3, timestamp 3 + 1, stream id 3.
const tagHeaderSize = 11

// tagHeader parses the header of a tag in a file or an aggregate message.
func tagHeader(b []byte) (tag Tag, size int) {
	return Tag{
		Type:      TagType(b[0] & 0x1F),
		Timestamp: uint32(b[7])<<24 | uint24(b[4:]),
	}, int(uint24(b[1:]))
}

// SplitAggregate yields the tags inside an RTMP aggregate message (Adobe RTMP
// 1.0, section 7.1.6). Their timestamps are moved so that the first one has
// that of the message. The bodies alias body.
func SplitAggregate(body []byte, timestamp uint32, yield func(Tag) error) error {
	var shift uint32
	for first := true; len(body) > 0; first = false {
		if len(body) < tagHeaderSize {
			return errors.New("aggregate message: short tag header")
		}
		tag, size := tagHeader(body)
		body = body[tagHeaderSize:]
		if size > len(body) {
			return fmt.Errorf("aggregate message: a tag of %d bytes where %d are left", size, len(body))
		}
		if first {
			shift = timestamp - tag.Timestamp
		}
		tag.Timestamp += shift
		tag.Body = body[:size:size]
		if err := yield(tag); err != nil {
			return err
		}
		body = body[min(len(body), size+4):] // 4: the back pointer
	}
	return nil
}

// Reader reads the tags of an FLV file.
type Reader struct {
	r    io.Reader
	body []byte
}

// NewReader reads the file header of r and returns a Reader of its tags.
func NewReader(r io.Reader) (*Reader, error) {
	var header [9 + 4]byte // 4: the size of the tag before the first, zero
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, fmt.Errorf("FLV file header: %w", err)
	}
	if string(header[:3]) != "FLV" || header[3] != 1 {
		return nil, errors.New("not an FLV file")
	}
	return &Reader{r: r}, nil
}

// ReadTag returns the next tag, valid until the next call, or io.EOF.
func (r *Reader) ReadTag() (Tag, error) {
	var header [tagHeaderSize]byte
	if _, err := io.ReadFull(r.r, header[:]); err != nil {
		return Tag{}, err
	}
	tag, size := tagHeader(header[:])
	if size+4 > cap(r.body) {
		r.body = make([]byte, size+4) // at most 16 MiB: the field has 24 bits
	}
	body := r.body[:size+4]
	if _, err := io.ReadFull(r.r, body); err != nil {
		if err == io.EOF { // behind a header it isn't a clean one
			err = io.ErrUnexpectedEOF
		}
		return Tag{}, fmt.Errorf("FLV tag body: %w", err)
	}
	tag.Body = body[:size:size]
	return tag, nil
}

func uint24(b []byte) uint32 {
	return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
}
