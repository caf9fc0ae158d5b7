package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"net/netip"
	"sync"
	"time"

	"github.com/sluice-live/sluice/config/address"
)

// A pass is what one who was let in carries in the path of all his URLs. It
// says all that has to be known of him, so nothing is kept here:
//
//	version 1 | expiry, unix seconds 8 | n 1, address n | n 1, viewer n | MAC 16
//
// as unpadded base64url. The MAC is over everything before it and the stream's
// path, which the URL has anyway: a pass is worth nothing with another stream.
const (
	passVersion = 1
	passMAC     = 16 // of HMAC-SHA256's 32 bytes, which RFC 2104, section 5, allows
	passLeast   = 1 + 8 + 1 + 1 + passMAC

	// maxViewer bounds a viewer's id, in bytes: it stands in every URL.
	maxViewer = 64
)

type pass struct {
	expires time.Time
	from    netip.Prefix // where it is good; zero: anywhere
	viewer  string
}

// passes makes and reads passes. Reading one costs an HMAC and no lock.
type passes struct{ macs sync.Pool }

func newPasses(secret []byte) *passes {
	// Not the secret itself: it may be used elsewhere, too.
	key := hmac.New(sha256.New, secret)
	key.Write([]byte("sluice viewer's pass"))
	k := key.Sum(nil)
	return &passes{sync.Pool{New: func() any { return hmac.New(sha256.New, k) }}}
}

var passText = base64.RawURLEncoding.Strict()

func (p *passes) issue(stream string, v pass) string {
	b := []byte{passVersion}
	b = binary.BigEndian.AppendUint64(b, uint64(v.expires.Unix()))
	var from []byte
	if v.from.IsValid() {
		from = v.from.Masked().Addr().AsSlice()
	}
	b = append(append(b, byte(len(from))), from...)
	b = append(append(b, byte(len(v.viewer))), v.viewer...)
	b = p.mac(b, b, stream)
	return passText.EncodeToString(b)
}

// mac appends the MAC of payload and stream to dst.
func (p *passes) mac(dst, payload []byte, stream string) []byte {
	h := p.macs.Get().(hash.Hash)
	defer p.macs.Put(h)
	h.Reset()
	h.Write(payload)
	h.Write([]byte(stream))
	var sum [sha256.Size]byte
	return append(dst, h.Sum(sum[:0])[:passMAC]...)
}

// read returns what a pass says, if we issued it for stream. Whether its time
// and place are right is another question.
func (p *passes) read(text, stream string) (pass, bool) {
	const most = passLeast + 16 + maxViewer
	var buf [most]byte
	n := passText.DecodedLen(len(text))
	if n < passLeast || n > most {
		return pass{}, false
	}
	got, err := passText.Decode(buf[:], []byte(text))
	if err != nil || got != n { // the decoder skips line breaks
		return pass{}, false
	}
	payload, tag := buf[:n-passMAC], buf[n-passMAC:n]
	var sum [passMAC]byte
	if !hmac.Equal(p.mac(sum[:0], payload, stream), tag) {
		return pass{}, false
	}
	return parsePass(payload)
}

// parsePass takes what was signed apart.
func parsePass(b []byte) (v pass, ok bool) {
	if b[0] != passVersion {
		return v, false
	}
	v.expires = time.Unix(int64(binary.BigEndian.Uint64(b[1:])), 0)
	from, b, ok := cutField(b[9:])
	if !ok {
		return v, false
	}
	if len(from) > 0 {
		a, ok := netip.AddrFromSlice(from)
		if !ok {
			return v, false
		}
		v.from = address.Home(a)
	}
	viewer, b, ok := cutField(b)
	v.viewer = string(viewer)
	return v, ok && len(b) == 0
}

// cutField splits off what is behind a byte with its length.
func cutField(b []byte) (field, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) > len(b)-1 {
		return nil, nil, false
	}
	n := int(b[0])
	return b[1 : 1+n], b[1+n:], true
}
