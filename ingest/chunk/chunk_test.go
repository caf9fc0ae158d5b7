package chunk_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluice-live/sluice/ingest/chunk"
)

// wire joins hex text (spaces are for the eye) and raw payload.
func wire(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			raw, err := hex.DecodeString(strings.ReplaceAll(p, " ", ""))
			if err != nil {
				panic(err)
			}
			b = append(b, raw...)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// load is n bytes of payload in which no four look like a timestamp.
func load(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(0x40 + i%64)
	}
	return b
}

func audio(timestamp uint32, body []byte) chunk.Message {
	return chunk.Message{ChunkStreamID: 4, StreamID: 1, Timestamp: timestamp, Type: chunk.TypeAudio, Body: body}
}

func video(timestamp uint32, body []byte) chunk.Message {
	return chunk.Message{ChunkStreamID: 6, StreamID: 1, Timestamp: timestamp, Type: chunk.TypeVideo, Body: body}
}

func on(id uint32, m chunk.Message) chunk.Message {
	m.ChunkStreamID = id
	return m
}

// A form says what the bytes of a case are to a Writer.
type form int

const (
	legal form = iota // a peer may write so
	ours              // our Writer writes exactly so
)

// table is what Reader, Writer and FuzzReader start from.
var table = []struct {
	name string
	form form
	wire []byte
	want []chunk.Message
}{
	{"nothing", ours, nil, nil},
	{"type 0", ours, wire("04 000028 000004 08 01000000", load(4)), []chunk.Message{audio(40, load(4))}},
	{"type 0 of a full chunk", ours, wire("04 000028 000080 08 01000000", load(128)), []chunk.Message{audio(40, load(128))}},
	{"three chunks", ours,
		wire("06 000028 000101 09 01000000", load(257)[:128], "c6", load(257)[128:256], "c6", load(257)[256:]),
		[]chunk.Message{video(40, load(257))}},
	{"no payload", ours, wire("04 000028 000000 08 01000000 84 00000a"), []chunk.Message{audio(40, nil), audio(50, nil)}},

	{"types 1 to 3 give deltas", ours,
		wire("04 0003e8 000002 08 01000000", load(2), "44 000017 000003 08", load(3), "84 000018", load(3), "c4", load(3)),
		[]chunk.Message{audio(1000, load(2)), audio(1023, load(3)), audio(1047, load(3)), audio(1071, load(3))}},
	{"type 3 behind type 0 repeats its timestamp", ours,
		wire("04 0003e8 000002 08 01000000", load(2), "c4", load(2)),
		[]chunk.Message{audio(1000, load(2)), audio(2000, load(2))}},
	{"type 1 changes the type", ours,
		wire("04 000000 000002 08 01000000", load(2), "44 000000 000002 09", load(2)),
		[]chunk.Message{audio(0, load(2)), on(4, video(0, load(2)))}},
	{"another message stream needs type 0", ours,
		wire("04 000000 000001 08 01000000 41  04 000000 000001 08 02000000 42"),
		[]chunk.Message{audio(0, []byte{0x41}), {ChunkStreamID: 4, StreamID: 2, Type: chunk.TypeAudio, Body: []byte{0x42}}}},
	{"backwards is type 0 for us", ours,
		wire("04 0003e8 000001 08 01000000 41  04 0003de 000001 08 01000000 42"),
		[]chunk.Message{audio(1000, []byte{0x41}), audio(990, []byte{0x42})}},
	{"backwards is a huge delta for OBS", legal,
		wire("04 0003e8 000001 08 01000000 41  84 ffffff fffffff6 42"),
		[]chunk.Message{audio(1000, []byte{0x41}), audio(990, []byte{0x42})}},
	{"deltas pass 2^32", legal,
		wire("04 ffffff 000001 08 01000000 fffffff6 41  84 000014 42"),
		[]chunk.Message{audio(0xFFFFFFF6, []byte{0x41}), audio(10, []byte{0x42})}},

	{"chunk stream 63", ours, wire("3f 000000 000001 08 01000000 41"), []chunk.Message{on(63, audio(0, []byte{0x41}))}},
	{"chunk stream 64", ours, wire("00 00 000000 000001 08 01000000 41"), []chunk.Message{on(64, audio(0, []byte{0x41}))}},
	{"chunk stream 319", ours, wire("00 ff 000000 000001 08 01000000 41"), []chunk.Message{on(319, audio(0, []byte{0x41}))}},
	{"chunk stream 320", ours, wire("01 00 01 000000 000001 08 01000000 41"), []chunk.Message{on(320, audio(0, []byte{0x41}))}},
	{"chunk stream 65599", ours,
		wire("01 ff ff 000000 000081 08 01000000", load(129)[:128], "c1 ff ff", load(129)[128:]),
		[]chunk.Message{on(65599, audio(0, load(129)))}},
	{"chunk stream 70 in three bytes, then in two", legal,
		wire("01 06 00 000000 000081 08 01000000", load(129)[:128], "c0 06", load(129)[128:]),
		[]chunk.Message{on(70, audio(0, load(129)))}},

	{"timestamp 0xFFFFFE", ours, wire("04 fffffe 000001 08 01000000 41"), []chunk.Message{audio(0xFFFFFE, []byte{0x41})}},
	{"timestamp 0xFFFFFF", ours, wire("04 ffffff 000001 08 01000000 00ffffff 41"), []chunk.Message{audio(0xFFFFFF, []byte{0x41})}},
	{"extended timestamp, repeated", ours,
		wire("06 ffffff 000101 09 01000000 01234567", load(257)[:128],
			"c6 01234567", load(257)[128:256], "c6 01234567", load(257)[256:]),
		[]chunk.Message{video(0x01234567, load(257))}},
	{"extended timestamp, not repeated", legal,
		wire("06 ffffff 000104 09 01000000 01234567", load(260)[:128], "c6", load(260)[128:256], "c6", load(260)[256:]),
		[]chunk.Message{video(0x01234567, load(260))}},
	{"extended timestamp, not repeated before a last chunk of one byte", legal,
		wire("06 ffffff 000081 09 01000000 01234567", load(129)[:128], "c6", load(129)[128:]),
		[]chunk.Message{video(0x01234567, load(129))}},
	{"extended timestamp, repeated without its top bit", legal,
		wire("06 ffffff 000081 09 01000000 81234567", load(129)[:128], "c6 01234567", load(129)[128:]),
		[]chunk.Message{video(0x81234567, load(129))}},
	{"extended delta, repeated", ours,
		wire("06 000001 000001 09 01000000 41  46 ffffff 000081 09 01000000", load(129)[:128], "c6 01000000", load(129)[128:]),
		[]chunk.Message{video(1, []byte{0x41}), video(0x01000001, load(129))}},
	{"extended delta, not repeated", legal,
		wire("06 000001 000001 09 01000000 41  46 ffffff 000084 09 01000000", load(132)[:128], "c6", load(132)[128:]),
		[]chunk.Message{video(1, []byte{0x41}), video(0x01000001, load(132))}},
	{"extended delta, type 3 begins a message and repeats it", ours,
		wire("06 000001 000004 09 01000000", load(4), "86 ffffff 01000000", load(4), "c6 01000000", load(4)),
		[]chunk.Message{video(1, load(4)), video(0x01000001, load(4)), video(0x02000001, load(4))}},
	{"extended delta, type 3 begins a message and doesn't repeat it", legal,
		wire("06 000001 000004 09 01000000", load(4), "86 ffffff 01000000", load(4), "c6", load(4)),
		[]chunk.Message{video(1, load(4)), video(0x01000001, load(4)), video(0x02000001, load(4))}},
	{"small delta ends the extension", ours,
		wire("06 ffffff 000004 09 01000000 01000000", load(4), "86 000028", load(4), "c6", load(4)),
		[]chunk.Message{video(0x01000000, load(4)), video(0x01000028, load(4)), video(0x01000050, load(4))}},

	{"two chunk streams interleave", legal,
		wire("06 000028 000081 09 01000000", load(129)[:128],
			"04 00002a 000082 08 01000000", load(130)[:128], "c6", load(129)[128:], "c4", load(130)[128:]),
		[]chunk.Message{video(40, load(129)), audio(42, load(130))}},
	{"chunk size grows", legal,
		wire("02 000000 000004 01 00000000 00000100", "06 000028 000101 09 01000000", load(257)[:256], "c6", load(257)[256:]),
		[]chunk.Message{video(40, load(257))}},
	{"chunk size changes inside a message", legal,
		wire("06 000028 000201 09 01000000", load(513)[:128], "02 000000 000004 01 00000000 00001000", "c6", load(513)[128:]),
		[]chunk.Message{video(40, load(513))}},
	{"largest chunk size", legal,
		wire("02 000000 000004 01 00000000 7fffffff", "06 000028 001000 09 01000000", load(4096)),
		[]chunk.Message{video(40, load(4096))}},
	{"abort drops a message, its chunk stream goes on", legal,
		wire("06 000028 000081 09 01000000", load(129)[:128], "02 000000 000004 02 00000000 00000006",
			"46 000028 000002 09", load(2)),
		[]chunk.Message{video(80, load(2))}},
	{"abort of nothing", legal,
		wire("02 000000 000004 02 00000000 00000009", "04 000028 000001 08 01000000 41"),
		[]chunk.Message{audio(40, []byte{0x41})}},

	{"first header is type 1", legal, wire("42 000028 000002 08", load(2)),
		[]chunk.Message{{ChunkStreamID: 2, Timestamp: 40, Type: chunk.TypeAudio, Body: load(2)}}},
	{"first header is type 2", legal, wire("a1 000028"), []chunk.Message{{ChunkStreamID: 33, Timestamp: 40}}},
	{"first header is type 3", legal, wire("c5"), []chunk.Message{{ChunkStreamID: 5}}},
}

// readAll reads to the end and copies what is lent.
func readAll(r io.Reader, limits chunk.Limits) (got []chunk.Message, err error) {
	reader := chunk.NewReader(r, limits)
	for {
		m, err := reader.ReadMessage()
		if err != nil {
			return got, err
		}
		m.Body = bytes.Clone(m.Body)
		got = append(got, m)
	}
}

func same(a, b chunk.Message) bool {
	return a.ChunkStreamID == b.ChunkStreamID && a.StreamID == b.StreamID && a.Timestamp == b.Timestamp &&
		a.Type == b.Type && bytes.Equal(a.Body, b.Body)
}

func brief(m chunk.Message) string {
	return fmt.Sprintf("chunk stream %d, message stream %d, timestamp %d, type %d, %d bytes: % .16x",
		m.ChunkStreamID, m.StreamID, m.Timestamp, m.Type, len(m.Body), m.Body)
}

func checkSame(t *testing.T, how string, got, want []chunk.Message) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("%s: message %d is missing: %s", how, i, brief(want[i]))
		case i >= len(want):
			t.Fatalf("%s: message %d is too much: %s", how, i, brief(got[i]))
		case !same(got[i], want[i]):
			t.Fatalf("%s: message %d is\n%s, want\n%s", how, i, brief(got[i]), brief(want[i]))
		}
	}
}

// cuts delivers b in pieces of random sizes.
func cuts(b []byte, seed uint64) io.Reader {
	rnd := rand.New(rand.NewPCG(seed, 0))
	var parts []io.Reader
	for len(b) > 0 {
		n := min(len(b), 1+rnd.IntN(1+rnd.IntN(300)))
		parts = append(parts, bytes.NewReader(b[:n]))
		b = b[n:]
	}
	return io.MultiReader(parts...)
}

// deliveries are the same bytes on different days of the network.
func deliveries(b []byte) map[string]io.Reader {
	return map[string]io.Reader{
		"whole":        bytes.NewReader(b),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(b)),
		"cut 1":        cuts(b, 1),
		"cut 2":        cuts(b, 2),
		"end at once":  iotest.DataErrReader(bytes.NewReader(b)),
	}
}

func TestReader(t *testing.T) {
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			for how, r := range deliveries(c.wire) {
				got, err := readAll(r, chunk.DefaultLimits())
				checkSame(t, how, got, c.want)
				if err != io.EOF {
					t.Errorf("%s: ends with %v", how, err)
				}
			}
		})
	}
}

func TestWriter(t *testing.T) {
	for _, c := range table {
		var out bytes.Buffer
		w := chunk.NewWriter(&out)
		for _, m := range c.want {
			w.WriteMessage(m)
		}
		w.Flush()
		if c.form == ours && !bytes.Equal(out.Bytes(), c.wire) {
			t.Errorf("%s: writes\n% x, want\n% x", c.name, out.Bytes(), c.wire)
		}
		got, _ := readAll(&out, chunk.DefaultLimits())
		checkSame(t, c.name, got, c.want)
	}
}

// Each strict prefix ends as an end, a clean one between messages only, and
// yields the messages that are whole.
// pieces is a connection that takes many pieces at once.
type pieces struct{ bytes.Buffer }

func (p *pieces) WriteBuffers(b net.Buffers) (int64, error) {
	for _, piece := range b {
		p.Write(piece)
	}
	return 0, nil
}

// A message in two pieces is the same on the wire as one in one, whoever sends it.
func TestShared(t *testing.T) {
	var copied, whole bytes.Buffer
	var many pieces
	writers := []*chunk.Writer{chunk.NewWriter(&copied), chunk.NewWriter(&whole), chunk.NewWriter(&many)}
	for _, w := range writers {
		w.SetChunkSize(4096)
	}
	for i, size := range []int{0, 1, 100, 2047, 2048, 4090, 4091, 4092, 8191, 8192, 100_000} {
		body := bytes.Repeat([]byte{byte(i), byte(size)}, size/2+1)[:size]
		m := chunk.Message{ChunkStreamID: uint32(4 + i%3), StreamID: 1, Timestamp: uint32(i) * 7e6, Type: chunk.TypeVideo}
		head := []byte("\x17\x01head")
		for n, w := range writers {
			if m.Body = body; n == 1 {
				m.Body = append(bytes.Clone(head), body...)
				w.WriteMessage(m)
			} else {
				w.WriteShared(m, head)
			}
		}
		if i%2 == 1 {
			for _, w := range writers {
				if size := w.Size(); size != writers[0].Size() {
					t.Errorf("%d bytes and %d", size, writers[0].Size())
				}
			}
			for _, w := range writers {
				if err := w.Flush(); err != nil || w.Size() != 0 {
					t.Fatal(err)
				}
			}
		}
	}
	for _, w := range writers {
		w.Flush()
	}
	if !bytes.Equal(copied.Bytes(), whole.Bytes()) || !bytes.Equal(many.Bytes(), whole.Bytes()) {
		t.Errorf("%d, %d and %d bytes, or others", copied.Len(), many.Len(), whole.Len())
	}
}

func TestPrefixes(t *testing.T) {
	for _, c := range table {
		whole, clean := map[int]int{}, map[int]bool{0: true} // what our Writer has written after k bytes
		var out bytes.Buffer
		w := chunk.NewWriter(&out)
		for i, m := range c.want {
			w.WriteMessage(m)
			w.Flush()
			whole[out.Len()], clean[out.Len()] = i+1, true
		}
		messages := 0
		for k := range c.wire {
			got, err := readAll(bytes.NewReader(c.wire[:k]), chunk.DefaultLimits())
			if err != io.EOF && err != io.ErrUnexpectedEOF || len(got) > len(c.want) {
				t.Fatalf("%s: %d bytes are %d messages and %v", c.name, k, len(got), err)
			}
			checkSame(t, c.name, got, c.want[:len(got)])
			if messages = max(messages, whole[k]); c.form == ours && (len(got) != messages || (err == io.EOF) != clean[k]) {
				t.Errorf("%s: %d bytes are %d messages and %v, want %d messages", c.name, k, len(got), err, messages)
			}
		}
	}
}

// randomMessages are what encoders send, and stranger.
func randomMessages(seed uint64, n int) []chunk.Message {
	rnd := rand.New(rand.NewPCG(seed, 1))
	ids := []uint32{2, 3, 4, 6, 63, 64, 319, 320, 65599}
	types := []chunk.Type{chunk.TypeAudio, chunk.TypeVideo, chunk.TypeDataAMF0, chunk.TypeCommandAMF0, chunk.TypeAck}
	sizes := []int{0, 1, 127, 128, 129, 400, 5000, 20000}
	steps := []uint32{0, 23, 23, 40, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFF6, 0x80000000}
	clock := map[uint32]uint32{}
	out := make([]chunk.Message, n)
	for i := range out {
		id := ids[rnd.IntN(len(ids))]
		clock[id] += steps[rnd.IntN(len(steps))]
		body := make([]byte, sizes[rnd.IntN(len(sizes))])
		for j := range body {
			body[j] = byte(rnd.Uint32())
		}
		out[i] = chunk.Message{
			ChunkStreamID: id, StreamID: uint32(rnd.IntN(2)), Timestamp: clock[id],
			Type: types[rnd.IntN(len(types))], Body: body,
		}
	}
	return out
}

func TestWriterReaderIdentity(t *testing.T) {
	for seed := range uint64(8) {
		want := randomMessages(seed, 60)
		var out bytes.Buffer
		w := chunk.NewWriter(&out)
		for i, m := range want {
			if i == 20 || i == 40 {
				w.SetChunkSize([]uint32{4096, 65536}[i/20-1])
			}
			w.WriteMessage(m)
		}
		w.Flush()
		for how, r := range deliveries(out.Bytes()) {
			got, err := readAll(r, chunk.DefaultLimits())
			checkSame(t, fmt.Sprintf("seed %d, %s", seed, how), got, want)
			if err != io.EOF {
				t.Fatalf("seed %d, %s: ends with %v", seed, how, err)
			}
		}
	}
}

func setChunkSize(n uint32) []byte {
	return binary.BigEndian.AppendUint32(wire("02 000000 000004 01 00000000"), n)
}

func TestLimits(t *testing.T) {
	tight := chunk.Limits{MediaSize: 1000, CommandSize: 100, ChunkStreams: 3, Incomplete: 300, MinChunkSize: 1}
	for _, c := range []struct {
		name   string
		limits chunk.Limits
		wire   []byte
		want   string // "" if it is within the limits
	}{
		{"media at the limit", chunk.DefaultLimits(), wire("06 000000 a00000 09 01000000"), ""},
		{"media above it", chunk.DefaultLimits(), wire("06 000000 a00001 09 01000000"), "announces 10485761 bytes, the limit is 10485760"},
		{"command at the limit", chunk.DefaultLimits(), wire("03 000000 040000 14 00000000"), ""},
		{"command above it", chunk.DefaultLimits(), wire("03 000000 040001 14 00000000"), "the limit is 262144"},
		{"set chunk size of 16 MB", chunk.DefaultLimits(), wire("02 000000 ffffff 01 00000000"), "the limit is 262144"},
		{"type 3 with an oversize length", tight, wire("02 000000 000065 14 00000000"), "the limit is 100"},

		{"three chunk streams", tight, wire("03 000000 000000 14 00000000  c4 c5"), ""},
		{"four", tight, wire("03 000000 000000 14 00000000  c4 c5 c6"), "more than 3 chunk streams"},
		{"four, twice one", tight, wire("c3 c4 c5 c5 c4 c3"), ""},

		{"unfinished at the limit", tight,
			wire("06 000000 000100 09 01000000", load(128), "07 000000 000100 09 01000000", load(128), "08 000000 00002c 09 01000000", load(43)), ""},
		{"unfinished above it", tight,
			wire("06 000000 000100 09 01000000", load(128), "07 000000 000100 09 01000000", load(128), "08 000000 00002e 09 01000000", load(45)),
			"more than 300 bytes"},

		{"chunk size 0", tight, setChunkSize(0), "0 is out of range"},
		{"chunk size 1", tight, setChunkSize(1), ""},
		{"chunk size 1 by default", chunk.DefaultLimits(), setChunkSize(1), "1 is out of range"},
		{"chunk size 127 by default", chunk.DefaultLimits(), setChunkSize(127), "127 is out of range"},
		{"chunk size 128", chunk.DefaultLimits(), setChunkSize(128), ""},
		{"chunk size 2^31−1", chunk.DefaultLimits(), setChunkSize(1<<31 - 1), ""},
		{"chunk size 2^31", chunk.DefaultLimits(), setChunkSize(1 << 31), "2147483648 is out of range"},
		{"chunk size of three bytes", chunk.DefaultLimits(), wire("02 000000 000003 01 00000000 000100"), "short body"},
		{"abort of three bytes", chunk.DefaultLimits(), wire("02 000000 000003 02 00000000 000006"), "short body"},
		{"type 0 inside a message", chunk.DefaultLimits(),
			wire("06 000000 000100 09 01000000", load(128), "06 000000 000100 09 01000000"), "type 0 header inside a message"},
	} {
		for how, r := range deliveries(c.wire) {
			_, err := readAll(r, c.limits)
			switch {
			case c.want == "" && err != io.EOF && err != io.ErrUnexpectedEOF:
				t.Errorf("%s, %s: %v", c.name, how, err)
			case c.want != "" && !strings.Contains(fmt.Sprint(err), c.want):
				t.Errorf("%s, %s: %v, want %q", c.name, how, err, c.want)
			}
		}
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("connection reset")
	_, err := readAll(io.MultiReader(bytes.NewReader(table[1].wire), iotest.ErrReader(broken)), chunk.DefaultLimits())
	if err != broken {
		t.Errorf("the connection's error becomes %v", err)
	}
	if _, err := readAll(iotest.TimeoutReader(bytes.NewReader(table[1].wire)), chunk.DefaultLimits()); err != iotest.ErrTimeout {
		t.Errorf("a timeout becomes %v", err)
	}
}

// What a Reader holds is told, whatever it is: messages that are not complete,
// and what is kept of those that were. It is bounded, and a large message is
// given back when it is over.
func TestHeld(t *testing.T) {
	const mib, takeBack = 1 << 20, "02 000000 000004 02 00000000 000000"
	begun := func(id byte, n int) []byte { // a message of 4 MiB, in one chunk, of which n bytes come
		return wire([]byte{id}, "000000 400000 09 01000000", load(n))
	}
	var three []byte // of 4 MiB each, in chunks of 1 MiB
	for id := byte(4); id < 7; id++ {
		three = append(three, begun(id, mib)...)
	}
	for id := byte(4); id < 7; id++ {
		three = append(append(three, 0xC0|id), load(mib)...)
	}
	lent := setChunkSize(4096) // in each of 60 chunk streams a message begins, while a large one has just ended
	for id := byte(4); id < 64; id++ {
		for at := 0; at < 0x0A0000; at += 4096 {
			header := []byte{0xC3}
			if at == 0 {
				header = wire("03 000000 0A0000 09 01000000")
			}
			lent = append(append(lent, header...), load(4096)...)
		}
		lent = append(append(lent, id), wire("000000 100000 09 01000000", load(4096))...)
	}
	for _, c := range []struct {
		name        string
		input       []byte
		least, most int
	}{
		{"nothing", nil, 0, 0},
		{"60 that have begun", lent, 60 * 4096, 3 * mib},
		{"a message of 3 MiB of 4", begun(4, 3*mib), 3 * mib, 4 * mib},
		{"three of them", append(setChunkSize(mib), three...), 6 * mib, 8 * mib},
		{"one that is over", begun(4, 4*mib), 0, mib},
		{"three that are taken back", append(append(setChunkSize(mib), three...), wire(takeBack, "04", takeBack, "05", takeBack, "06")...), 0, mib},
	} {
		input := append(setChunkSize(1<<31-1), c.input...)
		r := chunk.NewReader(bytes.NewReader(input), chunk.DefaultLimits())
		for {
			if _, err := r.ReadMessage(); err != nil {
				break
			}
		}
		if held := r.Held() - buffer; held < c.least || held > c.most {
			t.Errorf("%s: holds %d bytes beside its buffer, and may %d to %d", c.name, held, c.least, c.most)
		}
	}
}

// buffer is the size of a Reader's.
const buffer = 64 << 10

// What a header promises costs nothing: memory follows the bytes that came.
func TestAllocationFollowsInput(t *testing.T) {
	allocated := func(f func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	promise := wire("06 000000 a00000 09 01000000")
	many := []byte{}
	for id := byte(3); id < 64; id++ {
		many = append(append(many, id), wire("000000 a00000 09 01000000", load(128))...)
	}
	for name, input := range map[string][]byte{
		"header alone":              promise,
		"header and a chunk":        append(promise, load(128)...),
		"61 unfinished messages":    many,
		"16 KB in the largest size": append(setChunkSize(1<<31-1), append(promise, load(16<<10)...)...),
	} {
		got := allocated(func() { readAll(bytes.NewReader(input), chunk.DefaultLimits()) })
		if limit := uint64(2*len(input) + 64<<10 + buffer); got > limit {
			t.Errorf("%s: %d bytes of input allocate %d bytes, the limit is %d", name, len(input), got, limit)
		}
	}
}

// endless repeats its bytes for ever.
type endless struct {
	b  []byte
	at int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.b[e.at:])
	e.at = (e.at + n) % len(e.b)
	return n, nil
}

// secondOf is about a second of a 6 Mbit/s stream. It begins with type 0
// headers, so it can be repeated.
func secondOf(chunkSize uint32) []byte {
	var out bytes.Buffer
	w := chunk.NewWriter(&out)
	if chunkSize > chunk.DefaultChunkSize {
		w.SetChunkSize(chunkSize)
	}
	for i := range uint32(30) {
		w.WriteMessage(video(33*i, load(25_000)))
		w.WriteMessage(audio(33*i, load(400)))
		w.WriteMessage(audio(33*i+21, load(400)))
	}
	w.Flush()
	return out.Bytes()
}

// repeated are the limits of a stream that is repeated, chunk size and all.
func repeated() chunk.Limits {
	l := chunk.DefaultLimits()
	l.ChunkSizes = 0
	return l
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, size := range []uint32{128, 4096, 65536} {
		r := chunk.NewReader(&endless{b: secondOf(size)}, repeated())
		read := func() {
			for range 90 {
				if _, err := r.ReadMessage(); err != nil {
					t.Fatal(err)
				}
			}
		}
		read()
		if n := testing.AllocsPerRun(20, read); n != 0 {
			t.Errorf("chunk size %d: %v allocations in 90 messages", size, n)
		}
	}
}

func TestReceived(t *testing.T) {
	b := secondOf(4096)
	r := chunk.NewReader(bytes.NewReader(b), chunk.DefaultLimits())
	for {
		if _, err := r.ReadMessage(); err != nil {
			break
		}
	}
	if r.Received() != uint64(len(b)) {
		t.Errorf("received %d of %d bytes", r.Received(), len(b))
	}
}

// rechunk writes messages in chunks of another size, and some of them at a time
// in each other's gaps. It returns them in the order in which they end.
func rechunk(messages []chunk.Message, seed uint64) (out []byte, ended []chunk.Message) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	size := 1 << rnd.IntN(18)
	out = setChunkSize(uint32(size))
	for len(messages) > 0 {
		together := messages[:min(len(messages), 1+rnd.IntN(6))]
		messages = messages[len(together):]
		sent := make([]int, len(together))
		for left := len(together); left > 0; {
			i := rnd.IntN(len(together))
			m := together[i]
			m.ChunkStreamID = uint32(64 + i) // a basic header of two bytes
			if sent[i] < 0 {
				continue
			}
			if sent[i] == 0 {
				out = appendHeader(append(out, 0, byte(i)), m)
			} else {
				out = append(out, 3<<6, byte(i))
			}
			if m.Timestamp >= 0xFFFFFF { // in all its chunks, as Adobe has it
				out = binary.BigEndian.AppendUint32(out, m.Timestamp)
			}
			n := min(size, len(m.Body)-sent[i])
			out = append(out, m.Body[sent[i]:sent[i]+n]...)
			if sent[i] += n; sent[i] == len(m.Body) {
				sent[i] = -1
				ended = append(ended, m)
				left--
			}
		}
	}
	return out, ended
}

// appendHeader adds a message header of type 0.
func appendHeader(b []byte, m chunk.Message) []byte {
	field := min(m.Timestamp, 0xFFFFFF)
	b = append(b, byte(field>>16), byte(field>>8), byte(field), byte(len(m.Body)>>16), byte(len(m.Body)>>8), byte(len(m.Body)), byte(m.Type))
	return binary.LittleEndian.AppendUint32(b, m.StreamID)
}

// However the network cuts the bytes, and the writer the messages, these and the
// end are the same; no more is held than came.
func FuzzReader(f *testing.F) {
	for i, c := range table {
		f.Add(c.wire, uint64(i))
	}
	f.Add(secondOf(65536)[:30_000], uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		limits := chunk.DefaultLimits()
		limits.MinChunkSize = 1
		want, wantErr := readAll(bytes.NewReader(b), limits)
		for how, r := range map[string]io.Reader{
			"byte by byte": iotest.OneByteReader(bytes.NewReader(b)),
			"cut":          cuts(b, seed),
		} {
			got, err := readAll(r, limits)
			checkSame(t, how, got, want)
			if err.Error() != wantErr.Error() {
				t.Fatalf("%s ends with %q, whole with %q", how, err, wantErr)
			}
		}
		r := chunk.NewReader(cuts(b, seed), limits)
		for {
			_, err := r.ReadMessage()
			if most := 2*r.Received() + 64<<10 + buffer; uint64(r.Held()) > most {
				t.Fatalf("holds %d bytes, %d came", r.Held(), r.Received())
			}
			if err != nil {
				break
			}
		}
		// What was read can be written and read again.
		var out bytes.Buffer
		w := chunk.NewWriter(&out)
		for _, m := range want {
			w.WriteMessage(m)
		}
		w.Flush()
		again, _ := readAll(&out, limits)
		checkSame(t, "written again", again, want)
		other, ended := rechunk(want, seed)
		again, err := readAll(bytes.NewReader(other), limits)
		checkSame(t, "in other chunks", again, ended)
		if err != io.EOF {
			t.Fatalf("in other chunks: %v", err)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	for _, size := range []uint32{128, 4096, 65536} {
		b.Run(fmt.Sprintf("chunk=%d", size), func(b *testing.B) {
			second := secondOf(size)
			r := chunk.NewReader(&endless{b: second}, repeated())
			b.SetBytes(int64(len(second)))
			b.ReportAllocs()
			for b.Loop() {
				for range 90 {
					if _, err := r.ReadMessage(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkWriter(b *testing.B) {
	messages, _ := readAll(bytes.NewReader(secondOf(4096)), chunk.DefaultLimits())
	w := chunk.NewWriter(io.Discard)
	b.SetBytes(int64(len(secondOf(4096))))
	b.ReportAllocs()
	for b.Loop() {
		for _, m := range messages {
			w.WriteMessage(m)
		}
		w.Flush()
	}
}
