package flv_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// What is written is what is read, and of a file that is cut short, an error.
func TestWriter(t *testing.T) {
	tags := []flv.Drawn{
		{Head: []byte{0x17, 0}, Tag: flv.Tag{Type: flv.TagVideo, Timestamp: 0xFEDCBA98, Body: []byte{1, 2, 3}}},
		{Tag: flv.Tag{Type: flv.TagAudio, Timestamp: 7, Body: make([]byte, 1<<16)}},
		{Head: []byte{2}, Tag: flv.Tag{Type: flv.TagScript}},
	}
	var file bytes.Buffer
	w, err := flv.NewWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[int]bool{file.Len(): true}
	for _, d := range tags {
		if err := w.WriteTag(d); err != nil {
			t.Fatal(err)
		}
		ends[file.Len()] = true
	}
	if err := w.WriteTag(flv.Drawn{Tag: flv.Tag{Type: flv.TagVideo, Body: make([]byte, 1<<24)}}); err != nil || !ends[file.Len()] {
		t.Errorf("a tag that is too long: %v", err)
	}
	for n := range file.Len() + 1 {
		if n > 100 && n < file.Len()-100 && n%997 > 0 {
			continue
		}
		r, err := flv.NewReader(bytes.NewReader(file.Bytes()[:n]))
		for i := 0; err == nil; i++ {
			var tag flv.Tag
			if tag, err = r.ReadTag(); err != nil {
				break
			}
			if want := append(bytes.Clone(tags[i].Head), tags[i].Body...); tag.Type != tags[i].Type || tag.Timestamp != tags[i].Timestamp || !bytes.Equal(tag.Body, want) {
				t.Fatalf("tag %d: %v at %d, %d bytes", i, tag.Type, tag.Timestamp, len(tag.Body))
			}
		}
		if errors.Is(err, io.EOF) != ends[n] && n > 0 {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}
