package packager

import "io"

// Body is the bytes of a segment, a part, or a header, wherever they are. They never
// change. It may be used by many at once.
type Body interface {
	Size() int64
	io.ReaderAt
	io.WriterTo // one behind the other, without a copy where they are in memory
}

// Memory is a Body that is in memory, in pieces one behind the other. What is in the
// pieces must not be modified.
type Memory [][]byte

// Size is how many bytes it has.
func (m Memory) Size() (n int64) {
	for _, piece := range m {
		n += int64(len(piece))
	}
	return n
}

// ReadAt reads from the pieces, as io.ReaderAt.
func (m Memory) ReadAt(dst []byte, at int64) (n int, err error) {
	for _, piece := range m {
		if at >= int64(len(piece)) {
			at -= int64(len(piece))
			continue
		}
		n += copy(dst[n:], piece[at:])
		if at = 0; n == len(dst) {
			return n, nil
		}
	}
	if n < len(dst) {
		err = io.EOF
	}
	return n, err
}

// WriteTo writes each piece by itself.
func (m Memory) WriteTo(w io.Writer) (n int64, err error) {
	for _, piece := range m {
		k, err := w.Write(piece)
		n += int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Body is the bytes of the segment: those of its parts.
func (s *Segment) Body() Body { return memoryOf(s.Parts) }

// Body is the bytes of the header.
func (h *Header) Body() Body { return Memory{h.Bytes} }

// Body is the bytes of the part.
func (p *Part) Body() Body { return Memory{p.Bytes} }

// OpenBody is what there is of the segment in production. A newer Window of the same
// rendition may have more, behind that.
func (r *Rendition) OpenBody() Memory { return append(memoryOf(r.Parts), r.Growing) }

// memoryOf is the bytes of parts, with room for a piece more.
func memoryOf(parts []Part) Memory {
	m := make(Memory, len(parts), len(parts)+1)
	for i := range parts {
		m[i] = parts[i].Bytes
	}
	return m
}
