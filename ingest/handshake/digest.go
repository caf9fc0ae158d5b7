package handshake

import (
	"crypto/hmac"
	"crypto/sha256"
)

// The digest handshake is not in the Adobe specification: Flash Player 9 and
// its successors sign C1 with a public constant, and players check the server's
// signature if S1 has a version. It proves nothing about the peer.
const (
	digestSize = sha256.Size

	// playerKey and serverKey sign C1 and S1. The server key with the tail signs
	// the key that signs S2.
	playerKey = "Genuine Adobe Flash Player 001"
	serverKey = "Genuine Adobe Flash Media Server 001"

	keyTail = "\xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57" +
		"\x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae"
)

// scheme says where in a packet the digest is. A packet is two blocks of 764
// bytes behind an 8-byte head, one with a digest and one with a Diffie-Hellman
// key, in either order. The first 4 bytes of the digest block add up to the
// digest's place among the other 760.
//
//	              0        8                 772               1536
//	digest first  |  head  | sum … digest …  |  key            |
//	key first     |  head  | key             | sum … digest …  |
type scheme int

const (
	digestFirst scheme = 8
	keyFirst    scheme = 772
)

// offset returns where the digest of p begins. The digest never covers the bytes
// that say so, and ends inside its block.
func (s scheme) offset(p *packet) int {
	sum := int(p[s]) + int(p[s+1]) + int(p[s+2]) + int(p[s+3])
	return int(s) + 4 + sum%(764-4-digestSize)
}

// digest returns what the digest of p should be: the signature of all of p but
// the place of the digest.
func (s scheme) digest(p *packet, key string) [digestSize]byte {
	offset := s.offset(p)
	return sign([]byte(key), p[:offset], p[offset+digestSize:])
}

// findDigest tells the scheme in which C1 carries a valid digest, and the digest.
// A C1 without a version asks for the plain handshake and is not searched.
func findDigest(c1 *packet) (found scheme, digest [digestSize]byte, ok bool) {
	if [4]byte(c1[4:8]) == [4]byte{} {
		return 0, digest, false
	}
	for _, s := range []scheme{digestFirst, keyFirst} {
		digest = s.digest(c1, playerKey)
		offset := s.offset(c1)
		if hmac.Equal(digest[:], c1[offset:offset+digestSize]) {
			return s, digest, true
		}
	}
	return 0, digest, false
}

// signAnswer puts the digests of S1, in that scheme, and of S2 in their places.
func signAnswer(in scheme, s1, s2 *packet, c1Digest [digestSize]byte) {
	s1Digest := in.digest(s1, serverKey)
	copy(s1[in.offset(s1):], s1Digest[:])

	s2Key := sign([]byte(serverKey+keyTail), c1Digest[:])
	s2Digest := sign(s2Key[:], s2[:packetSize-digestSize])
	copy(s2[packetSize-digestSize:], s2Digest[:])
}

func sign(key []byte, message ...[]byte) [digestSize]byte {
	h := hmac.New(sha256.New, key)
	for _, part := range message {
		h.Write(part)
	}
	return [digestSize]byte(h.Sum(nil))
}
