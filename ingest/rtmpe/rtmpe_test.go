package rtmpe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"github.com/sluice-live/sluice/ingest/handshake"
	"github.com/sluice-live/sluice/ingest/rtmpe/clients"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noise is bytes that are the same each time.
func noise(seed uint64) io.Reader {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

// What one side says, the other hears, in both directions, and on the line it is
// something else. Clients whose secrets would begin with a zero are among them.
func TestServe(t *testing.T) {
	for _, l := range clients.Layouts {
		t.Run(l.Name, func(t *testing.T) {
			for seed := range uint64(20) {
				ours, theirs := net.Pipe()
				line := &tapped{Conn: ours}
				served := make(chan error, 1)
				go func() {
					defer ours.Close()
					s, err := Serve(line, 1, noise(seed))
					if err == nil {
						_, err = io.Copy(s, iotest.OneByteReader(s)) // an echo
					}
					served <- err
				}()
				c, err := clients.Dial(theirs, l, noise(seed+1000))
				if err != nil {
					t.Fatal(err)
				}
				said := bytes.Repeat([]byte("what is said "), 50)
				go c.Write(said)
				heard := make([]byte, len(said))
				if _, err := io.ReadFull(c, heard); err != nil || !bytes.Equal(heard, said) {
					t.Fatalf("seed %d: the echo is another: %v", seed, err)
				}
				theirs.Close()
				<-served
				if line.seen.Len() < len(said) || bytes.Contains(line.seen.Bytes(), []byte("what is")) {
					t.Error("it can be read on the line")
				}
			}
		})
	}
}

// tapped notes what is read from the line.
type tapped struct {
	net.Conn
	seen bytes.Buffer
}

func (t *tapped) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.seen.Write(b[:n])
	return n, err
}

// What is written is not modified: others write it, too.
func TestWriteKeepsWhatItIsGiven(t *testing.T) {
	peer := &script{said: bytes.NewReader(append(clients.Hello(clients.Layouts[0], 12345, noise(1)), make([]byte, 1536)...))}
	s, err := Serve(peer, 1, noise(2))
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.Repeat([]byte{7}, 3*mostScratch+5)
	if n, err := s.Write(b); n != len(b) || err != nil || !bytes.Equal(b, bytes.Repeat([]byte{7}, len(b))) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if len(s.scratch) > mostScratch {
		t.Errorf("it holds %d bytes", len(s.scratch))
	}
}

// script is a peer that says what it says.
type script struct {
	said  *bytes.Reader
	heard bytes.Buffer
}

func (s *script) Read(b []byte) (int, error)  { return s.said.Read(b) }
func (s *script) Write(b []byte) (int, error) { return s.heard.Write(b) }

func TestRefused(t *testing.T) {
	l := clients.Layouts[1]
	good := func() []byte { return clients.Hello(l, 12345, noise(1)) }
	forged := good()
	forged[100]++
	for _, c := range []struct {
		name  string
		hello []byte
		want  string
	}{
		{"not signed", forged, "doesn't sign"},
		{"RTMP", append([]byte{3}, good()[1:]...), "version 0x03 instead of 6"},
		{"a public key of 1", clients.Hello(l, 0, noise(1)), "public key that is none"},
	} {
		peer := &script{said: bytes.NewReader(append(c.hello, make([]byte, 1536)...))}
		if _, err := Serve(peer, 1, noise(2)); err == nil || !strings.Contains(err.Error(), c.want) || peer.heard.Len() > 0 {
			t.Errorf("%s: %v, and %d bytes were answered", c.name, err, peer.heard.Len())
		}
	}
}

// Keys of which anybody could tell the secret are none.
func TestPublicKeys(t *testing.T) {
	minus := func(n int64) *big.Int { return new(big.Int).Sub(prime, big.NewInt(n)) }
	for _, c := range []struct {
		key  *big.Int
		good bool
	}{
		{big.NewInt(0), false}, {big.NewInt(1), false}, {minus(1), false}, {minus(0), false}, {minus(-1), false},
		{minus(2), false}, // −2 is no power of 2
		{big.NewInt(2), true}, {big.NewInt(4), true},
	} {
		var theirs, ours [handshake.KeySize]byte
		c.key.FillBytes(theirs[:])
		secret, err := exchange(theirs[:], ours[:], noise(1))
		if (err == nil) != c.good {
			t.Errorf("%x: %v", c.key, err)
		}
		if c.good && (secret[0] == 0 || ours[0] == 0) {
			t.Error("it begins with a zero")
		}
	}
	broken := errors.New("broken")
	var theirs, ours [handshake.KeySize]byte
	theirs[127] = 2
	if _, err := exchange(theirs[:], ours[:], iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
	// However unlucky the numbers are, it ends.
	if _, err := exchange(theirs[:], ours[:], bytes.NewReader(make([]byte, attempts*privateSize))); !errors.Is(err, errKey) {
		t.Error(err)
	}
}

func TestPrefixes(t *testing.T) {
	whole := append(clients.Hello(clients.Layouts[0], 12345, noise(1)), make([]byte, 1536)...)
	for n := 0; n < len(whole); n += 1 + n%7 {
		peer := &script{said: bytes.NewReader(whole[:n])}
		if _, err := Serve(peer, 1, noise(2)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if answered := peer.heard.Len() > 0; answered != (n >= 1537) {
			t.Fatalf("%d bytes: answered is %t", n, answered)
		}
	}
}

// FuzzServe patches and cuts good clients: a client gets all of an answer or
// nothing of it, and success means that all was there.
func FuzzServe(f *testing.F) {
	var hellos [][]byte
	for _, l := range clients.Layouts {
		hellos = append(hellos, append(clients.Hello(l, 12345, noise(1)), make([]byte, 1536+10)...))
	}
	for i := range hellos {
		f.Add(uint8(i), uint16(3083), uint16(4000), []byte(nil))
		f.Add(uint8(i), uint16(1537), uint16(0), []byte{3})
		f.Add(uint8(i), uint16(3073), uint16(9), []byte{255, 255, 218, 0})
		f.Add(uint8(i), uint16(3073), uint16(769), []byte{255, 255, 255, 255, 1, 2, 3, 4})
		f.Add(uint8(i), uint16(3073), uint16(1533), []byte{255, 255, 218, 0})
	}
	f.Fuzz(func(t *testing.T, which uint8, length, at uint16, patch []byte) {
		sent := bytes.Clone(hellos[int(which)%len(hellos)])
		if int(at) < len(sent) {
			copy(sent[at:], patch)
		}
		sent = sent[:min(int(length), len(sent))]
		peer := &script{said: bytes.NewReader(sent)}
		s, err := Serve(peer, 1, noise(2))
		if n := peer.heard.Len(); n != 0 && n != 1+2*1536 {
			t.Fatalf("%d bytes were answered", n)
		}
		if (err == nil) != (s != nil) || err == nil && (len(sent) < 1+2*1536 || sent[0] != 6 || peer.heard.Len() == 0) {
			t.Fatalf("%d bytes: %v", len(sent), err)
		}
		if err == nil && peer.said.Len() != len(sent)-1-2*1536 {
			t.Fatal("it read on behind C2")
		}
	})
}
