package admin

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// Who reads along gets the newest lines, each once, and no more than are kept.
func TestLog(t *testing.T) {
	_, s := office(t)
	for i := range 2 * keptLines {
		fmt.Fprintf(s.Log, "{\"message\":\"line %d\"}\n", i)
	}
	fmt.Fprintf(s.Log, "{\"message\":\"%s\"}\n", strings.Repeat("x", longestLine))
	fmt.Fprint(s.Log, "two\nlines\n")
	s.Log.Close()
	read := func(last string) []string {
		r, w := httptest.NewRequest("GET", "http://localhost/api/v1/log", nil), httptest.NewRecorder()
		r.Header.Set("Last-Event-ID", last)
		s.Handler(nil).ServeHTTP(w, r)
		return strings.Split(strings.TrimSuffix(w.Body.String(), "\n\n"), "\n\n")
	}
	all := read("0")
	if n := len(all); n > keptLines || n < keptLines/2 || !strings.HasSuffix(all[n-1], fmt.Sprintf(`data: {"message":"line %d"}`, 2*keptLines-1)) {
		t.Errorf("%d lines, the last is %q", n, all[n-1])
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(all[len(all)-3], "id: "), "\n")
	if rest := read(id); len(rest) != 2 || rest[1] != all[len(all)-1] {
		t.Errorf("behind %s: %q", id, rest)
	}
}
