package packager

import (
	"bytes"
	"testing"
)

// A part has the memory that it needs, whatever came before it, and what was
// lent or returned is never written again.
func TestDraft(t *testing.T) {
	var d draft
	type kept struct{ bytes, copy []byte }
	var all []kept
	keep := func(b []byte) { all = append(all, kept{b, bytes.Clone(b)}) }
	part := func(size, header, headroom int, lend bool) []byte {
		d.open(headroom, 100)
		fill := byte(len(all))
		for range size {
			d.append([]byte{fill})
			if lend {
				keep(d.growing())
			}
		}
		if d.payload() != size {
			t.Fatalf("payload %d, want %d", d.payload(), size)
		}
		p := d.close(header, func(dst []byte) []byte { return append(dst, bytes.Repeat([]byte{'h'}, header)...) })
		want := append(bytes.Repeat([]byte{'h'}, header), bytes.Repeat([]byte{fill}, size)...)
		if !bytes.Equal(p, want) {
			t.Fatalf("part of %d bytes behind %d of header (headroom %d) is %q", size, header, headroom, p)
		}
		if cap(p) != len(p) {
			t.Fatalf("whoever appends to a part of %d bytes writes into memory that isn't his", len(p))
		}
		keep(p)
		return p
	}
	for i := range 50 {
		part(1000+i*37%500, 40, 60, false)
		part(200, 80, 60, false) // more header than headroom
		part(300, 0, 0, i%3 == 0)
		part(300, 8, 0, i%5 == 0)
	}
	for _, k := range all {
		if !bytes.Equal(k.bytes, k.copy) {
			t.Fatal("what was given away was written again")
		}
	}

	part(1<<20, 40, 60, false)
	for range 32 {
		part(100, 40, 60, false)
	}
	if n := cap(d.bytes); n > 4096 {
		t.Errorf("a long part 32 parts ago keeps %d bytes", n)
	}
	part(4000, 40, 60, false)
	part(100, 40, 60, false)
	before := &d.bytes[:1][0]
	part(4000, 40, 60, false)
	if before != &d.bytes[:1][0] {
		t.Error("long and short parts by turns have new memory each time")
	}
}
