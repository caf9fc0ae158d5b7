package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Keys are stream keys by what they publish: NAME, in whatever app the encoder
// names where that APP/NAME has no key of its own, or APP/NAME.
//
// A key is kept as its SHA-256, so that a configuration that is read by others
// gives nothing away. No slow hash is needed: those make it dear to try the
// passwords that people think of. NewKey's have 130 random bits, and nobody
// tries so many, at any price; and a hash that is dear to us, too, would be a
// way to keep us busy.
type Keys map[string]KeyHash

// KeyHash is what is kept of a stream key.
type KeyHash [sha256.Size]byte

// NewKey returns a random stream key.
func NewKey() string { return rand.Text() }

// HashKey returns what is kept of a key.
func HashKey(key string) KeyHash { return sha256.Sum256([]byte(key)) }

// ParseKeyHash reads what String has written.
func ParseKeyHash(s string) (KeyHash, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha256.Size {
		return KeyHash{}, fmt.Errorf("not a SHA-256 hash of %d hex digits: `sluice key NAME` makes a key and its hash", 2*sha256.Size)
	}
	return KeyHash(b), nil
}

func (h KeyHash) String() string { return hex.EncodeToString(h[:]) }

// find returns what a key publishes in an app, or why it publishes nothing. It
// looks at all of them, in a time that tells nothing of how close it was.
func (k Keys) find(app, key string) (path string, err error) {
	hash := HashKey(key)
	err = errors.New("the stream key is not one of publish.keys")
	for name, h := range k {
		if subtle.ConstantTimeCompare(hash[:], h[:]) != 1 {
			continue
		}
		stream := name
		if !strings.Contains(name, "/") {
			stream = app + "/" + name
			if _, own := k[stream]; own {
				err = fmt.Errorf("%s has a key of its own in publish.keys, and this one is not it", stream)
				continue
			}
		}
		if path == "" || stream < path { // of two with one key, always the same
			path = stream
		}
	}
	if path == "" {
		return "", err
	}
	return path, nil
}
