// Package handshake answers (and, for our own clients, opens) the RTMP handshake.
package handshake

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
)

// The sizes of Adobe RTMP 1.0, section 5.2: C0 and S0 are one byte, the others
// are packets of the same size.
const (
	packetSize = 1536

	plainVersion = 3 // C0 of RTMP …
	keyedVersion = 6 // … and of RTMPE
)

// PacketSize is how many bytes C1, S1, C2 and S2 have each.
const PacketSize = packetSize

// packet is C1, S1, C2 or S2 (sections 5.2.3 and 5.2.4):
//
//	0..3  the sender's time, in C2 and S2 the time of the packet they answer
//	4..7  zero or, in C1 and S1, the sender's version, which promises a digest
//	8..   random
type packet [packetSize]byte

// serverVersion is what S1 claims to be when it has a digest. Players look for
// the digest if the first byte is 3 or more; 3.5.1.1 is an Adobe server of that
// time.
var serverVersion = [4]byte{3, 5, 1, 1}

// Serve answers a client: it reads C0 and C1, sends S0, S1 and S2 in one write,
// and reads C2, section 5.2.1. It reads nothing beyond C2, so the first chunk is
// next in rw. Deadlines are the caller's: set one for the whole of Serve.
//
// The time now is in milliseconds of the epoch the server's timestamps use. From
// random come 3,072 bytes.
//
// A client that signs its C1 gets signed packets in its own scheme, all others a
// plain echo. What C2 holds doesn't matter, as many encoders get it wrong. A
// client of another protocol gives a [*VersionError] after its first byte, one
// that goes away an error that wraps [io.ErrUnexpectedEOF].
func Serve(rw io.ReadWriter, now uint32, random io.Reader) error {
	return serve(rw, plainVersion, random, func(c1, noise1, noise2 packet) (s1, s2 packet, err error) {
		s1, s2 = answer(c1, now, noise1, noise2)
		return s1, s2, nil
	})
}

// serve is the order of things, which is the same for RTMP and RTMPE.
func serve(rw io.ReadWriter, version byte, random io.Reader, answer func(c1, noise1, noise2 packet) (s1, s2 packet, err error)) error {
	if err := readVersion(rw, version, "C0"); err != nil {
		return err
	}
	var c1, c2 packet
	if err := read(rw, c1[:], "C1"); err != nil {
		return err
	}
	var s1, s2 packet
	if err := fill(random, s1[:], s2[:]); err != nil {
		return err
	}
	s1, s2, err := answer(c1, s1, s2)
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	if err := write(rw, "S0, S1 and S2", []byte{version}, s1[:], s2[:]); err != nil {
		return err
	}
	return read(rw, c2[:], "C2")
}

// Dial opens a connection as a client: it sends C0 and C1 in one write, reads S0,
// S1 and S2, and sends a copy of S1 as C2, section 5.2.1. It never signs, so the
// server has to answer plain; what S1 and S2 hold is not checked. It reads
// nothing beyond S2. Deadlines are the caller's.
//
// The time now is in milliseconds of any epoch. From random come 1,536 bytes.
// A server of another protocol gives a [*VersionError], one that goes away an
// error that wraps [io.ErrUnexpectedEOF].
func Dial(rw io.ReadWriter, now uint32, random io.Reader) error {
	var c1 packet
	if err := fill(random, c1[:]); err != nil {
		return err
	}
	c1.setHead(now, [4]byte{})
	if err := write(rw, "C0 and C1", []byte{plainVersion}, c1[:]); err != nil {
		return err
	}
	if err := readVersion(rw, plainVersion, "S0"); err != nil {
		return err
	}
	var s1, s2 packet
	if err := read(rw, s1[:], "S1"); err != nil {
		return err
	}
	if err := read(rw, s2[:], "S2"); err != nil {
		return err
	}
	return write(rw, "C2", s1[:])
}

// answer makes S1 and S2 for a C1, from two packets of noise.
func answer(c1 packet, now uint32, noise1, noise2 packet) (s1, s2 packet) {
	s1, s2 = noise1, noise2
	scheme, c1Digest, signed := findDigest(&c1)
	if !signed {
		// A version without a digest would make players give up: with zero they echo.
		s1.setHead(now, [4]byte{})
		return s1, c1
	}
	s1.setHead(now, serverVersion)
	signAnswer(scheme, &s1, &s2, c1Digest)
	return s1, s2
}

func (p *packet) setHead(now uint32, version [4]byte) {
	binary.BigEndian.PutUint32(p[0:], now)
	copy(p[4:], version[:])
}

// readVersion reads C0 or S0 alone: other protocols may send less than a packet
// and wait.
func readVersion(r io.Reader, version byte, what string) error {
	var b [1]byte
	if err := read(r, b[:], what); err != nil {
		return err
	}
	if b[0] != version {
		return fmt.Errorf("handshake: %w", &VersionError{Version: b[0], want: version})
	}
	return nil
}

func read(r io.Reader, b []byte, what string) error {
	if _, err := io.ReadFull(r, b); err != nil {
		if err == io.EOF { // between two packets is as early as inside of one
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("handshake: reading %s: %w", what, err)
	}
	return nil
}

// write sends its parts in one write: written apart, small packets wait for
// each other (Nagle and delayed acknowledgements).
func write(w io.Writer, what string, parts ...[]byte) error {
	message := make([]byte, 0, 1+2*packetSize)
	for _, p := range parts {
		message = append(message, p...)
	}
	if _, err := w.Write(message); err != nil {
		return fmt.Errorf("handshake: writing %s: %w", what, err)
	}
	return nil
}

func fill(random io.Reader, packets ...[]byte) error {
	for _, p := range packets {
		if _, err := io.ReadFull(random, p); err != nil {
			return fmt.Errorf("handshake: random bytes: %w", err)
		}
	}
	return nil
}

// VersionError is for a peer whose first byte is not the version of plain RTMP,
// 3 (Adobe RTMP 1.0, section 5.2.2).
type VersionError struct {
	Version byte
	want    byte // 0: 3
}

// Error tells what the peer seems to speak instead.
func (e *VersionError) Error() string {
	return fmt.Sprintf("version 0x%02x instead of %d: %s", e.Version, cmp.Or(e.want, plainVersion), e.guess())
}

func (e *VersionError) guess() string {
	switch e.Version {
	case 0x16: // a TLS record of type handshake
		return "looks like TLS sent to the plain port; use rtmps:// on the TLS port"
	case 0x15: // a TLS alert, what a TLS server says to a plain Dial
		return "looks like a TLS alert; the peer expects rtmps://"
	case 'G', 'P', 'H', 'O': // GET; POST, PUT, PRI; HEAD, HTTP; OPTIONS
		return "looks like HTTP; this port speaks RTMP"
	case 6, 8, 9:
		return "RTMPE, which is something else; use rtmps:// for privacy"
	default:
		return "not RTMP"
	}
}
