// Package clients speaks RTMPE as clients do, written down a second time and
// in other words than in package rtmpe.
package clients

import (
	"bytes"
	"crypto/hmac"
	"crypto/rc4"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// Layout is where a client puts its digest and its key in C1.
type Layout struct {
	Name                string
	sumAt, origin       int // of the digest
	keySumAt, keyOrigin int
	// Blind is a client that looks for the server's key where the digest comes
	// first, and looks at no digest: FFmpeg, when it publishes.
	Blind bool
}

// Layouts are those of clients that there are.
var Layouts = []Layout{
	{"digest first", 8, 12, 1532, 772, false},
	{"key first", 772, 776, 768, 8, false},           // librtmp, FFmpeg that plays
	{"key first, and blind", 772, 776, 768, 8, true}, // FFmpeg that publishes
}

func sum(p []byte, at, modulus, origin int) int {
	return (int(p[at])+int(p[at+1])+int(p[at+2])+int(p[at+3]))%modulus + origin
}

func (l Layout) digestAt(p []byte) int { return sum(p, l.sumAt, 728, l.origin) }
func (l Layout) keyAt(p []byte) int    { return sum(p, l.keySumAt, 632, l.keyOrigin) }

func (l Layout) digest(p []byte, key string) []byte {
	at := l.digestAt(p)
	return mac([]byte(key), append(bytes.Clone(p[:at]), p[at+32:]...))
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

const (
	player = "Genuine Adobe Flash Player 001"
	server = "Genuine Adobe Flash Media Server 001"
)

var prime, _ = new(big.Int).SetString("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF", 16)

// Client is one side of an RTMPE connection.
type Client struct {
	rw            io.ReadWriter
	layout        Layout
	private       *big.Int
	hello, server []byte // C1, S1
	in, out       *rc4.Cipher
}

// Hello returns C0 and C1 of a client, with the public key of that private one.
func Hello(l Layout, private int64, noise io.Reader) []byte {
	return hello(l, big.NewInt(private), noise)
}

func hello(l Layout, private *big.Int, noise io.Reader) []byte {
	b := make([]byte, 1+1536)
	io.ReadFull(noise, b)
	b[0] = 6
	c1 := b[1:]
	copy(c1, []byte{0, 0, 0, 0, 128, 0, 3, 2})
	new(big.Int).Exp(big.NewInt(2), private, prime).FillBytes(c1[l.keyAt(c1):][:128])
	copy(c1[l.digestAt(c1):], l.digest(c1, player))
	return b
}

// Dial shakes hands and returns what goes on behind it. From noise come the
// client's random bytes.
func Dial(rw io.ReadWriter, l Layout, noise io.Reader) (*Client, error) {
	key := make([]byte, 128)
	io.ReadFull(noise, key)
	c := &Client{rw: rw, layout: l, private: new(big.Int).SetBytes(key)}
	first := hello(l, c.private, noise)
	c.hello = first[1:]
	if _, err := rw.Write(first); err != nil {
		return nil, err
	}
	answer := make([]byte, 1+2*1536)
	if _, err := io.ReadFull(rw, answer); err != nil {
		return nil, err
	}
	c.server = answer[1:1537]
	if answer[0] != 6 {
		return nil, fmt.Errorf("S0 is %d", answer[0])
	}
	found, err := c.find(answer[1537:])
	if err != nil {
		return nil, err
	}
	theirs := c.server[found.keyAt(c.server):][:128]
	secret := new(big.Int).Exp(new(big.Int).SetBytes(theirs), c.private, prime).Bytes() // shorter where it begins with zeros
	ours := c.hello[l.keyAt(c.hello):][:128]
	c.in, _ = rc4.NewCipher(mac(secret, ours)[:16])
	c.out, _ = rc4.NewCipher(mac(secret, theirs)[:16])
	skip := make([]byte, 1536)
	c.in.XORKeyStream(skip, skip)
	c.out.XORKeyStream(skip, skip)
	_, err = rw.Write(c.server)
	return c, err
}

// find looks for the layout of S1, and at what S2 is signed with.
func (c *Client) find(s2 []byte) (Layout, error) {
	first := Layouts[0]
	if c.layout.Blind {
		return first, nil
	}
	full, _ := hex.DecodeString("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae")
	key := mac(append([]byte(server), full...), c.hello[c.layout.digestAt(c.hello):][:32])
	if !bytes.Equal(mac(key, s2[:1504]), s2[1504:]) {
		return first, errors.New("S2 is not signed")
	}
	for _, l := range Layouts[:2] {
		if bytes.Equal(l.digest(c.server, server), c.server[l.digestAt(c.server):][:32]) {
			return l, nil
		}
	}
	return first, errors.New("S1 is not signed")
}

func (c *Client) Read(b []byte) (int, error) {
	n, err := c.rw.Read(b)
	c.in.XORKeyStream(b[:n], b[:n])
	return n, err
}

func (c *Client) Write(b []byte) (int, error) {
	hidden := make([]byte, len(b))
	c.out.XORKeyStream(hidden, b)
	return c.rw.Write(hidden)
}
