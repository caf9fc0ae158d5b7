package handshake

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

const now = 0x01020304

// layout is a scheme as a client knows it, written down a second time and in
// other words than in the package.
type layout struct {
	name   string
	sumAt  int // 4 bytes that add up to the place of the digest
	origin int // counted from here
}

var layouts = []layout{
	{"digest first", 8, 12},
	{"key first", 772, 776},
}

func (l layout) place(p []byte) int {
	sum := 0
	for _, b := range p[l.sumAt : l.sumAt+4] {
		sum += int(b)
	}
	return sum%728 + l.origin
}

func (l layout) signature(p []byte, key string) []byte {
	at := l.place(p)
	without := bytes.Clone(p[:at])
	return hmacSHA256([]byte(key), append(without, p[at+32:]...))
}

// hello returns a client's C0 and C1 signed in layout l.
func (l layout) hello(seed uint64) []byte {
	hello := plainHello(seed)
	c1 := hello[1:]
	copy(c1[4:], []byte{9, 0, 124, 2})
	copy(c1[l.place(c1):], l.signature(c1, "Genuine Adobe Flash Player 001"))
	return hello
}

// plainHello returns the C0 and C1 of a client that doesn't sign.
func plainHello(seed uint64) []byte {
	hello := append([]byte{3}, noise(seed, 1536)...)
	copy(hello[1:], []byte{0, 0, 0, 7, 0, 0, 0, 0})
	return hello
}

// checkSigned looks at S1 and S2 as a player does.
func checkSigned(t *testing.T, l layout, c1, s1, s2 []byte) {
	t.Helper()
	if s1[4] < 3 {
		t.Errorf("S1 has version % x: players won't look for a digest", s1[4:8])
	}
	at := l.place(s1)
	if want := l.signature(s1, "Genuine Adobe Flash Media Server 001"); !bytes.Equal(s1[at:at+32], want) {
		t.Error("S1 is not signed")
	}
	tail, _ := hex.DecodeString("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae")
	key := append([]byte("Genuine Adobe Flash Media Server 001"), tail...)
	at = l.place(c1)
	key = hmacSHA256(key, c1[at:at+32])
	if want := hmacSHA256(key, s2[:1504]); !bytes.Equal(s2[1504:], want) {
		t.Error("S2 is not signed")
	}
}

func checkPlain(t *testing.T, c1, s1, s2 []byte) {
	t.Helper()
	if !bytes.Equal(s1[4:8], make([]byte, 4)) {
		t.Errorf("S1 has version % x without a digest", s1[4:8])
	}
	if !bytes.Equal(s2, c1) {
		t.Error("S2 is not a copy of C1")
	}
}

func TestServe(t *testing.T) {
	forged := layouts[0].hello(1)
	forged[1+layouts[0].place(forged[1:])]++
	signedWithoutVersion := plainHello(2)
	l := layouts[0]
	copy(signedWithoutVersion[1+l.place(signedWithoutVersion[1:]):], l.signature(signedWithoutVersion[1:], "Genuine Adobe Flash Player 001"))

	for _, tt := range []struct {
		name   string
		hello  []byte
		signed *layout // of the answer
	}{
		{"plain", plainHello(3), nil},
		{"digest first", layouts[0].hello(4), &layouts[0]},
		{"key first", layouts[1].hello(5), &layouts[1]},
		{"version but no valid digest", forged, nil},
		{"digest but no version", signedWithoutVersion, nil},
		{"all zero", append([]byte{3}, make([]byte, 1536)...), nil},
		{"all 0xff", append([]byte{3}, bytes.Repeat([]byte{0xFF}, 1536)...), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			peer := &client{script: bytes.NewReader(append(bytes.Clone(tt.hello), noise(6, 1536+10)...))}
			if err := Serve(peer, now, random(7)); err != nil {
				t.Fatal(err)
			}
			if left := peer.script.Len(); left != 10 {
				t.Errorf("%d bytes behind C2 are left, want 10", left)
			}
			c1, s1, s2 := tt.hello[1:], peer.s1(t), peer.s2(t)
			if got := binary.BigEndian.Uint32(s1); got != now {
				t.Errorf("S1 has time %#x", got)
			}
			if tt.signed != nil {
				checkSigned(t, *tt.signed, c1, s1, s2)
			} else {
				checkPlain(t, c1, s1, s2)
			}
			if len(peer.writtenAt) != 1 || peer.writtenAt[0] != 1537 {
				t.Errorf("wrote after these many bytes: %d; want once, after C1", peer.writtenAt)
			}
		})
	}
}

// The place of a digest depends on random bytes: try many.
func TestAnswerSigns(t *testing.T) {
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			places := make(map[int]bool)
			for seed := range uint64(200) {
				c1 := packet(l.hello(seed)[1:])
				s1, s2 := answer(c1, now, packet(noise(seed+1000, 1536)), packet(noise(seed+2000, 1536)))
				checkSigned(t, l, c1[:], s1[:], s2[:])
				places[l.place(s1[:])] = true
			}
			if len(places) < 50 {
				t.Errorf("only %d places tried", len(places))
			}
		})
	}
}

// The sums at their extremes put the digest at the edges of its block.
func TestDigestPlaces(t *testing.T) {
	for _, l := range layouts {
		for _, sum := range [][4]byte{{}, {255, 255, 217, 0}, {255, 255, 218, 0}, {255, 255, 255, 255}} {
			c1 := l.hello(1)[1:]
			copy(c1[l.sumAt:], sum[:])
			copy(c1[l.place(c1):], l.signature(c1, "Genuine Adobe Flash Player 001"))
			noise1 := packet(noise(2, 1536))
			copy(noise1[l.sumAt:], sum[:])
			s1, s2 := answer(packet(c1), now, noise1, packet(noise(3, 1536)))
			checkSigned(t, l, c1, s1[:], s2[:])
		}
	}
}

func TestServeOneByteAtATime(t *testing.T) {
	for _, l := range layouts {
		hello := l.hello(1)
		peer := &client{script: bytes.NewReader(append(bytes.Clone(hello), noise(2, 1536)...))}
		slow := struct {
			io.Reader
			io.Writer
		}{iotest.OneByteReader(peer), peer}
		if err := Serve(slow, now, random(3)); err != nil {
			t.Fatal(err)
		}
		checkSigned(t, l, hello[1:], peer.s1(t), peer.s2(t))
	}
}

func TestServePrefixes(t *testing.T) {
	whole := append(layouts[0].hello(1), noise(2, 1536)...)
	for n := range whole {
		peer := &client{script: bytes.NewReader(whole[:n])}
		err := Serve(peer, now, random(3))
		phase := "reading C0:"
		switch {
		case n >= 1537:
			phase = "reading C2:"
		case n >= 1:
			phase = "reading C1:"
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), phase) {
			t.Fatalf("%d bytes: got error %v, want one of %s", n, err, phase)
		}
		if answered := len(peer.writtenAt) > 0; answered != (n >= 1537) {
			t.Fatalf("%d bytes: answered is %t", n, answered)
		}
	}
}

func TestDialPrefixes(t *testing.T) {
	whole := append([]byte{3}, noise(1, 2*1536)...)
	for n := range whole {
		peer := &client{script: bytes.NewReader(whole[:n])}
		if err := Dial(peer, now, random(2)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d bytes: got error %v", n, err)
		}
	}
}

func TestDial(t *testing.T) {
	answer := append([]byte{3}, noise(1, 2*1536+10)...)
	peer := &client{script: bytes.NewReader(answer)}
	if err := Dial(peer, now, random(2)); err != nil {
		t.Fatal(err)
	}
	if left := peer.script.Len(); left != 10 {
		t.Errorf("%d bytes behind S2 are left, want 10", left)
	}
	if len(peer.writtenAt) != 2 || peer.written.Len() != 1+2*1536 {
		t.Fatalf("%d writes, %d bytes", len(peer.writtenAt), peer.written.Len())
	}
	sent := peer.written.Bytes()
	if want := []byte{3, 1, 2, 3, 4, 0, 0, 0, 0}; !bytes.Equal(sent[:9], want) {
		t.Errorf("C0 and C1 begin with % x, want % x", sent[:9], want)
	}
	if !bytes.Equal(sent[1537:], answer[1:1537]) {
		t.Error("C2 is not a copy of S1")
	}
}

func TestServeAgainstDial(t *testing.T) {
	server, client := net.Pipe()
	defer server.Close()
	defer client.Close()
	served := make(chan error, 1)
	go func() { served <- Serve(server, now, random(1)) }()
	if err := Dial(client, now, random(2)); err != nil {
		t.Error("Dial:", err)
		client.Close()
	}
	if err := <-served; err != nil {
		t.Error("Serve:", err)
	}
}

func TestVersionError(t *testing.T) {
	for _, tt := range []struct {
		first string
		text  string
	}{
		{"\x16\x03\x01", "use rtmps:// on the TLS port"},
		{"GET /live HTTP/1.1\r\n\r\n", "HTTP"},
		{"POST /open/1 HTTP/1.1\r\n\r\n", "HTTP"},
		{"HEAD / HTTP/1.1\r\n\r\n", "HTTP"},
		{"OPTIONS * HTTP/1.1\r\n\r\n", "HTTP"},
		{"\x06", "RTMPE, which is something else"},
		{"\x08", "RTMPE, which is something else"},
		{"\x09", "RTMPE, which is something else"},
		{"\x15\x03\x01", "TLS"},
		{"\x00", "not RTMP"},
		{"\xff", "not RTMP"},
	} {
		peer := &client{script: bytes.NewReader([]byte(tt.first))}
		err := Serve(peer, now, random(1))
		var wrong *VersionError
		if !errors.As(err, &wrong) || wrong.Version != tt.first[0] || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("Serve %q: got error %v, want one with %q", tt.first, err, tt.text)
		}
		if len(peer.writtenAt) != 0 {
			t.Errorf("Serve %q: answered", tt.first)
		}
		peer = &client{script: bytes.NewReader([]byte(tt.first))}
		if err := Dial(peer, now, random(1)); !errors.As(err, &wrong) {
			t.Errorf("Dial %q: got error %v", tt.first, err)
		}
	}
}

func TestOtherErrors(t *testing.T) {
	broken := errors.New("broken")
	hello := plainHello(1)
	for _, tt := range []struct {
		name   string
		reader io.Reader
		writer io.Writer
		random io.Reader
		text   string
	}{
		{"read", iotest.ErrReader(broken), io.Discard, random(1), "handshake: reading C0: broken"},
		{"random", bytes.NewReader(hello), io.Discard, iotest.ErrReader(broken), "handshake: random bytes: broken"},
		{"write", bytes.NewReader(hello), brokenWriter{broken}, random(1), "handshake: writing S0, S1 and S2: broken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rw := struct {
				io.Reader
				io.Writer
			}{tt.reader, tt.writer}
			if err := Serve(rw, now, tt.random); !errors.Is(err, broken) || err.Error() != tt.text {
				t.Errorf("got error %v, want %s", err, tt.text)
			}
		})
	}
}

// FuzzServe knows that a client gets all of an answer or nothing of it, in one
// write, and that only length and version decide about success. It patches and
// cuts good clients: whole ones are too long to find by mutation.
func FuzzServe(f *testing.F) {
	clients := [][]byte{plainHello(1), layouts[0].hello(2), layouts[1].hello(3)}
	for i := range clients {
		clients[i] = append(clients[i], noise(4, 1536+1)...)
		for _, length := range []uint16{0, 1, 1536, 1537, 3072, 3073, 3074} {
			f.Add(uint8(i), length, uint16(0), []byte(nil))
		}
		f.Add(uint8(i), uint16(3073), uint16(0), []byte("GET / HTTP/1.1\r\n\r\n"))
		f.Add(uint8(i), uint16(3073), uint16(5), []byte{0, 0, 0, 0})
		f.Add(uint8(i), uint16(3073), uint16(9), []byte{255, 255, 218, 0})
		f.Add(uint8(i), uint16(3073), uint16(773), []byte{255, 255, 218, 0})
	}
	f.Fuzz(func(t *testing.T, which uint8, length, at uint16, patch []byte) {
		sent := bytes.Clone(clients[int(which)%len(clients)])
		copy(sent[int(at)%len(sent):], patch)
		sent = sent[:min(int(length), len(sent))]
		peer := &client{script: bytes.NewReader(sent)}
		err := Serve(peer, now, random(1))

		rtmp := len(sent) > 0 && sent[0] == 3
		if complete := rtmp && len(sent) >= 1+2*1536; (err == nil) != complete {
			t.Fatalf("%d bytes: error %v", len(sent), err)
		}
		if !rtmp || len(sent) < 1537 {
			if len(peer.writtenAt) != 0 {
				t.Fatal("answered too early")
			}
			return
		}
		if len(peer.writtenAt) != 1 {
			t.Fatalf("%d writes", len(peer.writtenAt))
		}
		c1, s1, s2 := sent[1:1537], peer.s1(t), peer.s2(t)
		for _, l := range layouts {
			at := l.place(c1)
			if !bytes.Equal(c1[4:8], make([]byte, 4)) && bytes.Equal(c1[at:at+32], l.signature(c1, "Genuine Adobe Flash Player 001")) {
				checkSigned(t, l, c1, s1, s2)
				return
			}
		}
		checkPlain(t, c1, s1, s2)
	})
}

// client is a peer that says what is in its script and notes what it hears.
type client struct {
	script    *bytes.Reader
	read      int
	written   bytes.Buffer
	writtenAt []int // bytes read before each write
}

func (c *client) Read(b []byte) (int, error) {
	n, err := c.script.Read(b)
	c.read += n
	return n, err
}

func (c *client) Write(b []byte) (int, error) {
	c.writtenAt = append(c.writtenAt, c.read)
	return c.written.Write(b)
}

func (c *client) s1(t *testing.T) []byte { return c.answer(t)[1:1537] }
func (c *client) s2(t *testing.T) []byte { return c.answer(t)[1537:] }

func (c *client) answer(t *testing.T) []byte {
	t.Helper()
	answer := c.written.Bytes()
	if len(answer) != 1+2*1536 || answer[0] != 3 {
		t.Fatalf("the answer has %d bytes", len(answer))
	}
	return answer
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// random returns bytes that are the same each time.
func random(seed uint64) io.Reader {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	io.ReadFull(random(seed), b)
	return b
}

func hmacSHA256(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}
