package main

import (
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/packager"
)

// F25: what isn't a name is refused with a reason, leaves nothing in the
// catalog, and nowhere makes an answer that isn't 404.
func TestF25Names(t *testing.T) {
	for _, c := range []struct{ app, name, want string }{
		{"live", "../../etc", "has a slash"}, {"live", "a/../../etc", "has a slash"},
		{"../..", "passwd", "begins with a dot"},
		{"live", "..", "begins with a dot"},
		{"live", ".m3u8", "begins with a dot"},
		{"live", "%2e%2e", "'%' is not"},
		{"live", "a%2fb", "'%' is not"},
		{"live", "a\x00b", `'\x00' is not`},
		{"live", "a\nb", `'\n' is not`},
		{"live", "a\r\n#EXT-X-ENDLIST", `'\r' is not`},
		{"live", `a"b`, `'"' is not`},
		{"live", "a'b", `'\'' is not`},
		{"live", "<script>", "'<' is not"},
		{"live", "a&b", "'&' is not"},
		{"live", `..\..\windows`, "begins with a dot"},
		{"live", `a\b`, `'\\' is not`},
		{"live", "a b", "' ' is not"},
		{"live", "ü", "'ü' is not"},
		{"live", "\u202egpj.exe", `'\u202e' is not`},
		{"live", "\xff\xfe", "'�' is not"},
		{"live", strings.Repeat("a", 4096), "longer than 128"},
		{strings.Repeat("a", 4096), "cam1", "longer than 128"},
		{"_", "ui", "the server's own"},
		{"live", "", "is empty"},
		{"", "cam1", "is empty"},
	} {
		inHouse(t, func(h *house) {
			_, err := client.New(h.door.dial(), c.app, c.name, "rtmp://sluice/live")
			if err == nil || !strings.Contains(err.Error(), "refused: NetStream.Publish.Rejected") || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
				t.Errorf("%.20q/%.20q: %v; want %q", c.app, c.name, err, c.want)
			}
			synctest.Wait()
			if n := len(h.app.catalog.Streams()); n != 0 {
				t.Errorf("%.20q/%.20q: %d streams", c.app, c.name, n)
			}
			handler := h.app.http.Handler()
			for _, file := range []string{"", "index.m3u8", "index.mpd", "v1.m3u8", "v1/x-1.m4s"} {
				for _, path := range []string{
					fmt.Sprintf("/%s/%s/%s", c.app, c.name, file),
					fmt.Sprintf("/%s/%s/%s", url.PathEscape(c.app), url.PathEscape(c.name), file),
				} {
					r := httptest.NewRequest("GET", "/", nil)
					r.URL.Path = path
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, r)
					if w.Code != 404 || strings.Contains(w.Body.String(), "<") || len(w.Body.String()) > 200 {
						t.Errorf("%.60q: %d %q", path, w.Code, w.Body)
					}
				}
			}
			for line := range strings.Lines(h.log.String()) {
				if !strings.HasPrefix(line, "{") || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\r\n\x00\x1b") || len(line) > 2000 {
					t.Errorf("logged %.200q", line)
				}
			}
		})
	}
}

// F25: the strangest name that is one stands in all lists as it is.
func TestF25StrangestName(t *testing.T) {
	inHouse(t, func(h *house) {
		p, err := client.New(h.door.dial(), "a~b.c-d_e", "0.m3u8~-_.mpd?key=\"x\"&y=<z>", "rtmp://sluice/live")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if all := h.app.catalog.Streams(); len(all) != 1 || all[0].Window().Stream.String() != "a~b.c-d_e/0.m3u8~-_.mpd" {
			t.Errorf("%d streams", len(all))
		}
		if log := h.log.String(); strings.Contains(log, "<z>") {
			t.Errorf("the query is in the log: %s", log)
		}
		p.Abort()
	})
}

// What a stream can be called is one law: a key that the configuration takes is
// one that can publish, and the other way round.
func TestNamesHaveOneLaw(t *testing.T) {
	for _, path := range []string{
		"cam1", "live/cam1", "_cam1", "live/_cam1", "_ui/cam1", "_", "a~b", "a.b", ".a", "live/.a", ".live/a", "~", "-", "", "/", "live/", "/cam1",
		"live/a/b", "live//b", "a b", "a%20b", "ü", "a\x00", "live/a\n",
		strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("a", 128), strings.Repeat("a", 129),
		strings.Repeat("a", 128) + "/" + strings.Repeat("b", 128), strings.Repeat("a", 129) + "/b", "a/" + strings.Repeat("b", 129),
	} {
		app, name, ok := strings.Cut(path, "/")
		if !ok {
			app, name = "tv", path
		}
		_, err := packager.ParseStreamName(app, name)
		can := err == nil
		if err := config.CheckKeyName(path); (err == nil) != can {
			t.Errorf("%.40q can be a stream: %v, its key is configured: %v", path, can, err)
		}
		if err := key([]string{"--", path}, io.Discard); (err == nil) != can {
			t.Errorf("%.40q can be a stream: %v, its key is made: %v", path, can, err)
		}
	}
}
