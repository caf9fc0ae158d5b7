package flv

import "io"

// Writer writes the tags of an FLV file.
type Writer struct {
	w    io.Writer
	head []byte
}

// NewWriter writes the header of a file (FLV file format 10.1, annex E.2), and returns a Writer of its tags.
func NewWriter(w io.Writer) (*Writer, error) {
	const both = 5 // sound and pictures
	_, err := w.Write([]byte{'F', 'L', 'V', 1, both, 0, 0, 0, 9, 0, 0, 0, 0})
	return &Writer{w: w}, err
}

// WriteTag writes a tag (annex E.3 and E.4.1). One that is too long for the format is left out.
func (w *Writer) WriteTag(d Drawn) error {
	size := len(d.Head) + len(d.Body)
	if size >= 1<<24 {
		return nil
	}
	t := d.Timestamp
	b := append(w.head[:0], byte(d.Type), byte(size>>16), byte(size>>8), byte(size), byte(t>>16), byte(t>>8), byte(t), byte(t>>24), 0, 0, 0)
	w.head = append(b, d.Head...)
	if _, err := w.w.Write(w.head); err != nil {
		return err
	}
	if _, err := w.w.Write(d.Body); err != nil {
		return err
	}
	back := uint32(tagHeaderSize + size)
	_, err := w.w.Write([]byte{byte(back >> 24), byte(back >> 16), byte(back >> 8), byte(back)})
	return err
}
