package access

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Users are passwords by user.
type Users map[string]Password

// User is somebody who has logged in. The zero value is nobody.
type User struct {
	name     string
	password Password // of his when he did
}

// Name is empty for nobody.
func (u User) Name() string { return u.name }

// know tells whether who logged in once could do so again now: he is still
// there, and his password is the same.
func (u Users) know(who User) bool {
	password, known := u[who.name]
	return known && password == who.password
}

// Password is what is kept of one: the password, or md5:SALT:HASH, where HASH
// is base64(md5(user+salt+password)).
//
// MD5 is what the Adobe challenge is made of, and no other hash can answer for
// it. It hides what the password was, which may be good for other doors; it
// does not keep out one who has stolen it, as the challenge asks for no more
// than the hash. And all of it can be tried offline by whoever has listened:
// passwords that NewKey makes stand that, and RTMPS keeps listeners out.
type Password string

const saltedPrefix = "md5:"

// SaltedPassword hashes a password with a salt of its own.
func SaltedPassword(user, password string) Password {
	var salt [4]byte
	rand.Read(salt[:])
	s := hex.EncodeToString(salt[:])
	return Password(saltedPrefix + s + ":" + md5Base64(user+s+password))
}

// ParsePassword reads what a configuration says.
func ParsePassword(s string) (Password, error) {
	rest, salted := strings.CutPrefix(s, saltedPrefix)
	if !salted {
		if s == "" {
			return "", fmt.Errorf("is empty")
		}
		return Password(s), nil
	}
	salt, hash, _ := strings.Cut(rest, ":")
	raw, err := base64.StdEncoding.DecodeString(hash)
	if err != nil || len(raw) != md5.Size || !plainWord(salt) {
		return "", fmt.Errorf("not md5:SALT:HASH as `sluice key -user NAME` prints it")
	}
	return Password(s), nil
}

// salted returns the salt to tell an encoder and what it will make of it and
// the password. The salt of a password that has none is the fallback.
func (p Password) salted(user, fallback string) (salt, hash string) {
	if rest, ok := strings.CutPrefix(string(p), saltedPrefix); ok {
		salt, hash, _ = strings.Cut(rest, ":")
		return salt, hash
	}
	return fallback, md5Base64(user + fallback + string(p))
}

// check compares a password with the user's. It does the same work for users
// there aren't.
func (u Users) check(user, password string) bool {
	salt, want, known := u.challenge(user)
	return Same(md5Base64(user+salt+password), want) && known
}

// challenge returns a user's salt and salted password. One who isn't there has
// a salt like the others, always the same.
func (u Users) challenge(user string) (salt, hash string, known bool) {
	fallback := u.fallbackSalt(user)
	p, known := u[user]
	if !known {
		return fallback, md5Base64(user + fallback + rand.Text()), false
	}
	salt, hash = p.salted(user, fallback)
	return salt, hash, true
}

// fallbackSalt follows from all passwords: nobody can work it out, and it is
// the same after a restart.
func (u Users) fallbackSalt(user string) string {
	mac := hmac.New(sha256.New, []byte("salt"))
	for _, name := range slices.Sorted(maps.Keys(u)) {
		fmt.Fprintf(mac, "%q=%q,", name, string(u[name]))
	}
	key := mac.Sum(nil)
	mac = hmac.New(sha256.New, key)
	mac.Write([]byte(user))
	return hex.EncodeToString(mac.Sum(nil)[:4])
}

func md5Base64(s string) string {
	sum := md5.Sum([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// plainWord tells whether s can stand in the texts of the challenge, which
// have neither quotes nor escapes.
func plainWord(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if !strings.ContainsRune("-_.@", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return true
}

// ValidUser tells whether a user can have that name.
func ValidUser(name string) bool { return plainWord(name) }
