package rtmpe

import (
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/sluice-live/sluice/ingest/handshake"
)

// prime is that of the second Oakley group (RFC 2409, section 6.2), whose
// generator is 2. (prime − 1) / 2 is a prime, too.
var prime, _ = new(big.Int).SetString(
	"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"+
		"020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"+
		"4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"+
		"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF", 16)

var (
	generator = big.NewInt(2)
	one       = big.NewInt(1)
)

// errKey is for a public key that no honest client makes: with it anybody could
// tell the secret.
var errKey = errors.New("RTMPE with a public key that is none")

const (
	// A private key of 256 bits is as hard to find as one of 1024 in a group of
	// this size, and costs a quarter.
	privateSize = 32

	// attempts bound what a client's key can cost. In one of 128, the secret or our
	// key begins with a zero byte.
	attempts = 8
)

// exchange returns the secret that comes of the client's public key and a new one
// of ours, which it writes to ours.
//
// Neither the secret nor our key begins with a zero byte: some clients would
// leave it out of what they hash.
func exchange(theirs, ours []byte, random io.Reader) (secret [handshake.KeySize]byte, err error) {
	y := new(big.Int).SetBytes(theirs)
	// Of 0, 1, P−1 and multiples of P all powers are known; a key outside of the
	// subgroup of order (P−1)/2 tells a bit of ours.
	if y.Cmp(one) <= 0 || y.Cmp(new(big.Int).Sub(prime, one)) >= 0 || big.Jacobi(y, prime) != 1 {
		return secret, errKey
	}
	var private [privateSize]byte
	for range attempts {
		if _, err := io.ReadFull(random, private[:]); err != nil {
			return secret, fmt.Errorf("random bytes: %w", err)
		}
		x := new(big.Int).SetBytes(private[:])
		new(big.Int).Exp(generator, x, prime).FillBytes(ours)
		y := new(big.Int).Exp(y, x, prime)
		y.FillBytes(secret[:])
		if ours[0] != 0 && secret[0] != 0 {
			return secret, nil
		}
	}
	return secret, errKey
}
