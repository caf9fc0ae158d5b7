package access

import (
	"crypto/sha256"
	"crypto/subtle"
)

// Same compares what somebody shows with a secret, in a time that depends on
// neither, nor on how much of them is the same.
func Same(shown, secret string) bool {
	x, y := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
