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

// publishes returns what a key publishes in an app, or why nothing. The key of
// a stream with a suffix behind it publishes that quality, unless the quality has a key
// of its own. The key of a quality is for that one alone.
func (k Keys) publishes(app, key string, suffixes Suffixes) (path string, err error) {
	if path, err = k.find(app, key, suffixes); err == nil {
		return path, nil
	}
	bare, suffix, place := suffixes.Cut(key)
	if place < 0 {
		return "", err
	}
	stream, err := k.find(app, bare, suffixes)
	if err != nil {
		return "", err
	}
	if _, _, quality := suffixes.Cut(stream); quality >= 0 {
		return "", fmt.Errorf("the stream key is that of %s, and has another suffix behind it", stream)
	}
	_, name := SplitPath(stream)
	for _, own := range []string{stream + suffix, name + suffix} {
		if _, ok := k[own]; ok {
			return "", fmt.Errorf("%s has a key of its own in publish.keys, and this one is not it", own)
		}
	}
	return stream + suffix, nil
}

// find returns what a key publishes as it is. It looks at all of them, in a time that
// tells nothing of how close it was.
func (k Keys) find(app, key string, suffixes Suffixes) (path string, err error) {
	hash := HashKey(key)
	err = errors.New("the stream key is not one of publish.keys")
	for name, h := range k {
		if subtle.ConstantTimeCompare(hash[:], h[:]) != 1 {
			continue
		}
		stream := name
		if !strings.Contains(name, "/") {
			stream = app + "/" + name
			if own := k.own(stream, suffixes); own != "" {
				err = fmt.Errorf("%s has a key of its own in publish.keys, and this one is not it", own)
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

// own returns which of a stream and, where it is a quality, the stream that it is one
// of has a key for its app alone, or "".
func (k Keys) own(path string, suffixes Suffixes) string {
	if _, ok := k[path]; ok {
		return path
	}
	stream, _, _ := suffixes.Cut(path)
	if _, ok := k[stream]; ok {
		return stream
	}
	return ""
}
