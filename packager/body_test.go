package packager

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

// TestMemory reads pieces as if they were one.
func TestMemory(t *testing.T) {
	for _, m := range []Memory{{}, {nil}, {[]byte("a")}, {[]byte("ab"), nil, []byte("c"), []byte("defg"), nil}} {
		want := bytes.Join(m, nil)
		if m.Size() != int64(len(want)) {
			t.Errorf("%q has %d bytes", m, m.Size())
		}
		if err := iotest.TestReader(io.NewSectionReader(m, 0, m.Size()), want); err != nil {
			t.Errorf("%q: %v", m, err)
		}
		for from := range len(want) + 1 {
			var stream Stream
			stream.window.Store(newWindow(StreamName{}))
			var got bytes.Buffer
			loan := stream.Lend(append(Memory(nil), m...), int64(from))
			if n, err := loan.WriteTo(&got); err != nil || n != int64(got.Len()) || !bytes.Equal(got.Bytes(), want[from:]) {
				t.Errorf("%q from %d on is %q: %d, %v", m, from, got.Bytes(), n, err)
			}
			got.Reset()
			elsewhere := stream.Lend(struct{ Body }{m}, int64(from)) // not known to be in memory
			if _, err := elsewhere.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), want[from:]) {
				t.Errorf("%q from %d on is %q where it is elsewhere: %v", m, from, got.Bytes(), err)
			}
		}
	}
}
