package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
)

// record receives publications until ctx ends. The name of a stream is that of
// its file.
func record(ctx context.Context, addr, dir string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &ingest.Server{
		Handler: folder(dir), Now: time.Now,
		Limits: ingest.Limits{
			HandshakeTimeout: time.Minute, PublishTimeout: time.Minute, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
			Chunk: chunk.DefaultLimits(),
		},
	}
	return server.Serve(ctx, l)
}

// folder is where publications go.
type folder string

var plainName = regexp.MustCompile(`^[a-z0-9-]+$`)

func (f folder) Publish(_ context.Context, r ingest.Request) (string, ingest.Sink, error) {
	if !plainName.MatchString(r.Name) {
		return "", nil, fmt.Errorf("%q is no name for a file", r.Name)
	}
	return r.Name, &recording{path: filepath.Join(string(f), r.Name+".flv"), tags: fileHeader()}, nil
}

// recording is one publication.
type recording struct {
	path string
	tags []byte
}

func (r *recording) WriteTag(tag flv.Tag) error {
	r.tags = appendTag(r.tags, tag)
	return nil
}

func (r *recording) Close(cause error) {
	err := os.WriteFile(r.path, r.tags, 0o644)
	fmt.Fprintf(os.Stderr, "%s: %d bytes; ended by %v; written: %v\n", r.path, len(r.tags), cause, err)
}

// fileHeader begins an FLV file with picture and sound.
func fileHeader() []byte { return []byte{'F', 'L', 'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0} }

// appendTag appends a tag, and its size behind it, as FLV files have them.
func appendTag(dst []byte, tag flv.Tag) []byte {
	n, ts := len(tag.Body), tag.Timestamp
	dst = append(dst, byte(tag.Type), byte(n>>16), byte(n>>8), byte(n),
		byte(ts>>16), byte(ts>>8), byte(ts), byte(ts>>24), 0, 0, 0)
	dst = append(dst, tag.Body...)
	n += 11
	return append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// readFile reads all tags of a file.
func readFile(path string) ([]flv.Tag, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := flv.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var tags []flv.Tag
	for {
		tag, err := r.ReadTag()
		if err != nil { // the files are whole: it is their end
			return tags, nil
		}
		tag.Body = bytes.Clone(tag.Body)
		tags = append(tags, tag)
	}
}

func writeFile(path string, tags []flv.Tag) error {
	b := fileHeader()
	for _, tag := range tags {
		b = appendTag(b, tag)
	}
	return os.WriteFile(path, b, 0o644)
}
