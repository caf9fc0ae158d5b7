package ingest_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/rtmpe/clients"
)

// TestDialogues has the encoders of testdata/dialogues say what they say, and
// looks at what they hear, and at what comes of it.
func TestDialogues(t *testing.T) {
	paths, err := filepath.Glob("testdata/dialogues/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			live(t, func(w *world) { w.replay(string(text)) })
		})
	}
}

// replay plays one dialogue. README.md beside them tells how they are written.
func (w *world) replay(text string) {
	p := w.dial("encoder")
	var mouth mouth
	var said []byte // since it heard something last
	var heard, tags []string
	check := func() {
		if len(said) > 0 {
			p.say(said)
			said = nil
		}
		if len(heard) > 0 {
			p.expect(strings.Join(heard, "\n"))
			heard = nil
		}
	}
	for line := range strings.Lines(text) {
		mark, rest, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		switch mark {
		case "", "#":
		case "handshake":
			p.greet(rest)
		case ">":
			if len(heard) > 0 {
				check()
			}
			b, err := mouth.utter(rest)
			if err != nil {
				w.t.Fatalf("%s: %v", line, err)
			}
			said = append(said, b...)
		case "<":
			switch rest {
			case "nothing":
				check()
				p.expect("")
			case "connected":
				heard = append(heard, connected)
			default:
				heard = append(heard, rest)
			}
		case "=":
			tags = append(tags, strings.Replace(rest, "METADATA", mouth.metadata, 1))
		default:
			w.t.Fatalf("what is %q?", line)
		}
	}
	check()
	if len(w.asked) != 1 || w.asked[0].App != "live" || w.asked[0].Name != "key" || len(w.sinks) != 1 {
		w.t.Fatalf("asked for %+v", w.asked)
	}
	if got := strings.Join(w.sinks[0].tags, "\n"); got != strings.Join(tags, "\n") {
		w.t.Errorf("the sink got\n%s\nand not\n%s", got, strings.Join(tags, "\n"))
	}
	if s := w.sinks[0]; s.closed != 1 || s.cause != nil {
		w.t.Errorf("closed %d times, cause %v", s.closed, s.cause)
	}
	p.nc.Close()
}

// greet shakes hands in one of the ways that there are.
func (p *peer) greet(how string) {
	p.t.Helper()
	switch how {
	case "plain":
		p.handshake()
	case "signed": // as Flash Player 9 does it; what C2 holds is another thing, as with many
		hello := clients.Hello(clients.Layouts[0], 7, rand.NewChaCha8([32]byte{}))
		hello[0] = 3
		p.say(hello)
		p.say(make([]byte, 1536))
	default:
		p.t.Fatalf("a handshake %q", how)
	}
}

// mouth makes bytes of lines.
type mouth struct {
	buf      bytes.Buffer
	chunks   *chunk.Writer
	metadata string // in hex, as a tag has it
}

// utter returns what an encoder says in a line.
func (o *mouth) utter(line string) ([]byte, error) {
	if hex, ok := strings.CutPrefix(line, "raw "); ok {
		return unhex(hex), nil
	}
	var m chunk.Message
	var kind string
	if _, err := fmt.Sscanf(line, "%d/%d %s", &m.ChunkStreamID, &m.StreamID, &kind); err != nil {
		return nil, err
	}
	rest := strings.TrimSpace(line[strings.Index(line, kind)+len(kind):])
	if o.chunks == nil {
		o.chunks = chunk.NewWriter(&o.buf)
	}
	w := o.chunks
	switch kind {
	case "chunk-size":
		var n uint32
		if _, err := fmt.Sscan(rest, &n); err != nil {
			return nil, err
		}
		w.SetChunkSize(n)
	case "window":
		var n uint32
		if _, err := fmt.Sscan(rest, &n); err != nil {
			return nil, err
		}
		m.Type, m.Body = chunk.TypeWindowAckSize, binary.BigEndian.AppendUint32(nil, n)
		w.WriteMessage(m)
	case "command", "command3", "data":
		values, err := valuesOf(rest, kind == "data")
		if err != nil {
			return nil, err
		}
		m.Type = map[string]chunk.Type{"command": chunk.TypeCommandAMF0, "command3": chunk.TypeCommandAMF3, "data": chunk.TypeDataAMF0}[kind]
		if kind == "command3" {
			m.Body = []byte{0}
		}
		m.Body = amf.Append(m.Body, values...)
		if kind == "data" {
			o.metadata = fmt.Sprintf("%x", amf.Append(nil, values[1:]...))
		}
		w.WriteMessage(m)
	case "audio", "video":
		at, hex, _ := strings.Cut(rest, " ")
		if _, err := fmt.Sscan(at, &m.Timestamp); err != nil {
			return nil, err
		}
		m.Type = map[string]chunk.Type{"audio": chunk.TypeAudio, "video": chunk.TypeVideo}[kind]
		m.Body = unhex(hex)
		w.WriteMessage(m)
	default:
		return nil, fmt.Errorf("what is %q?", kind)
	}
	err := w.Flush()
	defer o.buf.Reset()
	return bytes.Clone(o.buf.Bytes()), err
}

// valuesOf reads JSON values; objects are ECMA arrays in data.
func valuesOf(text string, data bool) (values []any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	for d.More() {
		v, err := valueOf(d, data)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func valueOf(d *json.Decoder, data bool) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case nil:
		return amf.Null{}, nil
	case json.Delim:
		if t == '[' {
			list := amf.StrictArray{}
			for d.More() {
				v, err := valueOf(d, data)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := d.Token()
			return list, err
		}
		object := amf.Object{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := valueOf(d, data)
			if err != nil {
				return nil, err
			}
			object = append(object, amf.Property{Name: name.(string), Value: v})
		}
		_, err := d.Token()
		if data {
			return amf.ECMAArray(object), err
		}
		return object, err
	}
	return t, nil
}
