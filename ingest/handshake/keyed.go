package handshake

import (
	"errors"
	"io"
)

// KeySize is how many bytes a Diffie-Hellman key has in C1 and S1.
const KeySize = 128

// errUnsigned is for a client whose key can be anywhere: the digest tells where.
var errUnsigned = errors.New("RTMPE by a client that doesn't sign C1: where its key is can't be told")

// ServeKeyed is [Serve] for RTMPE, whose C0 is 6: exchange finds the client's
// key in theirs, and writes ours to ours, before S1 is signed. Both have KeySize
// bytes, theirs must not be modified, and neither kept. An error of exchange is
// the end.
//
// The client must have signed its C1, in either scheme. Ours has the digest
// first, whatever the client's has: FFmpeg looks for our key there alone when it
// publishes, and those that look for the digest find both.
func ServeKeyed(rw io.ReadWriter, now uint32, random io.Reader, exchange func(theirs, ours []byte) error) error {
	return serve(rw, keyedVersion, random, func(c1, s1, s2 packet) (packet, packet, error) {
		scheme, c1Digest, signed := findDigest(&c1)
		if !signed {
			return s1, s2, errUnsigned
		}
		s1.setHead(now, serverVersion)
		if err := exchange(scheme.key(&c1), digestFirst.key(&s1)); err != nil {
			return s1, s2, err
		}
		signAnswer(digestFirst, &s1, &s2, c1Digest)
		return s1, s2, nil
	})
}

// key returns the place of the key in p: the last 4 bytes of its block add up
// to where it is among the others.
//
//	           0        764-4
//	key block  | … key … | sum |
func (s scheme) key(p *packet) []byte {
	const block, sum = 764, 4
	at := int(digestFirst + keyFirst - s) // the block that the digest isn't in
	end := at + block - sum
	offset := at + (int(p[end])+int(p[end+1])+int(p[end+2])+int(p[end+3]))%(block-sum-KeySize)
	return p[offset : offset+KeySize : offset+KeySize]
}
