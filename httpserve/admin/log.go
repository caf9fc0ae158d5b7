package admin

import (
	"bytes"
	"fmt"
	"net/http"
)

const (
	keptLines   = 512
	longestLine = 4 << 10 // bytes: beyond that, one is left out
)

// Log is the newest lines of the log, for operators who read along. It is a writer, to
// which each Write is a line: a JSON object. A nil Log has none.
type Log struct{ river *river[[]byte] }

// NewLog returns an empty Log.
func NewLog() *Log { return &Log{newRiver[[]byte](keptLines, 1)} }

// Write keeps a copy of a line.
func (l *Log) Write(line []byte) (int, error) {
	if text := bytes.TrimSuffix(line, []byte("\n")); len(text) > 0 && len(text) <= longestLine && !bytes.ContainsAny(text, "\n\r") {
		l.river.put(func(uint64) []byte { return bytes.Clone(text) })
	}
	return len(line), nil
}

// Close ends the waiting of all who read along.
func (l *Log) Close() {
	if l != nil {
		l.river.close()
	}
}

// readAlong tells of each line: of those that are kept, too, where one says so.
func (s *Server) readAlong(w http.ResponseWriter, r *http.Request) {
	if s.Log == nil {
		Refuse(w, r, http.StatusServiceUnavailable, "the log is not kept")
		return
	}
	s.follow(w, r, s.Log.river.newest(), func(at uint64) (text []byte, _ uint64, _ <-chan struct{}, _ bool) {
		c := s.Log.river.behind(at)
		at = c.before
		for _, line := range c.all {
			at++
			text = fmt.Appendf(text, "id: %d\nevent: line\ndata: %s\n\n", at, line)
		}
		return text, at, c.more, c.open
	})
}
