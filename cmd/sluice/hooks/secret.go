package hooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Secret is a key that both know.
type Secret struct{ key []byte }

const secretPrefix = "whsec_"

// ParseSecret reads a secret as Standard Webhooks writes it: whsec_ and 24 to 64 bytes in
// base64. The error does not repeat it.
func ParseSecret(text string) (Secret, error) {
	text, ok := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return Secret{}, errors.New("is not whsec_ and 24 to 64 bytes in base64")
	}
	return Secret{key}, nil
}

// sign says in the header of a request what it is, and when, and that it is ours: with
// each of the secrets, so that one can be changed for another.
func sign(header http.Header, id string, at time.Time, body []byte, secrets []Secret) {
	t := strconv.FormatInt(at.Unix(), 10)
	header.Set(idHeader, id)
	header.Set(timeHeader, t)
	var all []string
	for _, s := range secrets {
		mac := hmac.New(sha256.New, s.key)
		mac.Write([]byte(id + "." + t + "."))
		mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(all) > 0 {
		header.Set(signatureHeader, strings.Join(all, " "))
	}
}
