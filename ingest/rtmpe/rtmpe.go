// Package rtmpe hides RTMP behind RC4, as RTMPE does: Diffie-Hellman in the
// handshake, and a cipher for each direction behind it.
//
// It hides, and does not protect: nothing in it proves who the peer is, so
// whoever stands between the two can read and change all.
package rtmpe

import (
	"crypto/hmac"
	"crypto/rc4"
	"crypto/sha256"
	"io"

	"github.com/sluice-live/sluice/ingest/handshake"
)

// Serve answers a client's handshake, its C0, which is 6, included, and returns
// what goes on behind it. It reads nothing beyond C2. Deadlines are the caller's: set one for the
// whole of Serve.
//
// The time now is in milliseconds of the epoch the server's timestamps use.
// random is for keys, too: it must be a good one. Serve costs about a
// millisecond of CPU.
func Serve(rw io.ReadWriter, now uint32, random io.Reader) (*Stream, error) {
	s := &Stream{rw: rw}
	err := handshake.ServeKeyed(rw, now, random, func(theirs, ours []byte) error {
		secret, err := exchange(theirs, ours, random)
		if err != nil {
			return err
		}
		s.in, s.out = newCipher(secret, ours), newCipher(secret, theirs)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// newCipher is for what is sent to the owner of the key: each side's cipher comes
// from the key of the other. The first 1536 bytes of it are for nothing, as if
// the handshake had been hidden, too.
func newCipher(secret [handshake.KeySize]byte, key []byte) *rc4.Cipher {
	h := hmac.New(sha256.New, secret[:])
	h.Write(key)
	c, err := rc4.NewCipher(h.Sum(nil)[:16])
	if err != nil {
		panic(err) // 16 bytes are a good length
	}
	var unused [handshake.PacketSize]byte
	c.XORKeyStream(unused[:], unused[:])
	return c
}

// Stream is an RTMPE connection behind its handshake. One goroutine may read
// while another one writes. What failed once is at its end: the ciphers are no
// longer where the peer's are.
type Stream struct {
	rw      io.ReadWriter
	in, out *rc4.Cipher
	scratch []byte // of Write
}

// mostScratch is how much of a long Write is hidden at a time.
const mostScratch = 16 << 10

// Read is part of io.Reader.
func (s *Stream) Read(b []byte) (int, error) {
	n, err := s.rw.Read(b)
	s.in.XORKeyStream(b[:n], b[:n])
	return n, err
}

// Write is part of io.Writer.
func (s *Stream) Write(b []byte) (written int, err error) {
	for len(b) > 0 {
		part := b[:min(len(b), mostScratch)]
		if cap(s.scratch) < len(part) {
			s.scratch = make([]byte, len(part))
		}
		hidden := s.scratch[:len(part)]
		s.out.XORKeyStream(hidden, part)
		n, err := s.rw.Write(hidden)
		written += n
		if err != nil {
			return written, err
		}
		b = b[len(part):]
	}
	return written, nil
}
