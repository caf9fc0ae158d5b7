package ports

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// F19: a request's header has 16 KiB, and Go's allowance of a quarter more, by
// HTTP/1.1 and HTTP/2: who sends more is not answered as if he hadn't.
func TestF19LongHeader(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		web := httptest.NewUnstartedServer(nil)
		web.Config = newServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), zerolog.Nop())
		web.Start()
		var protocols http.Protocols
		protocols.SetHTTP1(!http2)
		protocols.SetUnencryptedHTTP2(http2)
		client := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
		for size, want := range map[int]bool{15 << 10: true, 24 << 10: false, 512 << 10: false} {
			q, err := http.NewRequest("GET", web.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("X-Long", strings.Repeat("x", size))
			r, err := client.Do(q)
			answered := err == nil && r.StatusCode == http.StatusOK
			if err == nil {
				r.Body.Close()
			}
			if answered != want {
				t.Errorf("%s, %d KiB: answered %v, %v", name, size>>10, answered, err)
			}
		}
		client.CloseIdleConnections()
		web.Close()
	}
}
