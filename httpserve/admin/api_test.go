package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/packagertest"
)

// office is a Server that knows one stream, live/cam1, and one session.
func office(t testing.TB) (*house, *Server) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(60)
	h := &house{
		all: []*packager.Stream{f.Stream}, level: "info",
		sessions: []Session{{ID: "k4", Stream: "live/cam1", Remote: "192.0.2.7:50312", Software: "OBS", By: "key", Began: time.Now(), Bytes: 5}, {ID: "k3", Stream: "live/cam2", Ended: new(time.Now()), Why: "EOF"}},
	}
	return h, &Server{House: h, Crew: new(crew), WriteTimeout: time.Second, Metrics: metrics.New(), Feed: NewFeed(time.Now), Log: NewLog(), History: new(History), Now: time.Now}
}

func (s *Server) openapiOf(t *testing.T) []byte {
	w := httptest.NewRecorder()
	s.Handler(nil).ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+documentPath, nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/openapi+json" {
		t.Fatal(w.Code, w.Header())
	}
	return w.Body.Bytes()
}

// judge holds answers against the document. Its schemas are JSON Schema's (OpenAPI
// 3.1.0, section 4.8.24): somebody else's library reads them.
type judge struct{ schemas *jsonschema.Compiler }

func newJudge(t *testing.T, document []byte) judge {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", parsed); err != nil {
		t.Fatal(err)
	}
	return judge{c}
}

func (j judge) answer(method, pattern string, code int, kind string, body []byte) error {
	kind, _, _ = strings.Cut(kind, ";")
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace
	at := fmt.Sprintf("openapi.json#/paths/%s/%s/responses/%d", escape(pattern), strings.ToLower(method), code)
	if len(body) == 0 {
		_, err := j.schemas.Compile(at) // it is in the document
		return err
	}
	schema, err := j.schemas.Compile(at + "/content/" + escape(kind) + "/schema")
	if err != nil {
		return err
	}
	var value any = string(body)
	if strings.HasSuffix(kind, "json") {
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(body)); err != nil {
			return err
		}
	}
	return schema.Validate(value)
}

// undated are the places in a value where a time stands that the document doesn't call one:
// programs that are generated from it would take it for any text.
func (d *document) undated(at string, s schema, value any) (places []string) {
	if s.Ref != "" {
		s = d.Components.Schemas[s.name()]
	}
	switch v := value.(type) {
	case string:
		if _, err := time.Parse(time.RFC3339, v); err == nil && s.Format != "date-time" {
			return []string{at}
		}
	case []any:
		for _, one := range v {
			places = append(places, d.undated(at+"[]", *s.Items, one)...)
		}
	case map[string]any:
		for name, one := range v {
			places = append(places, d.undated(at+"."+name, s.Properties[name], one)...)
		}
	}
	return places
}

// Every line of the table is asked for, rightly and wrongly, and every answer is
// what the document says.
func TestAPIKeepsItsDocument(t *testing.T) {
	h, s := office(t)
	text := s.openapiOf(t)
	judge := newJudge(t, text)
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler(nil))
	defer server.Close()
	asked := make(map[string]bool)
	for _, c := range []struct {
		method, pattern, path string
		code                  int
		has                   string
		before                func()
	}{
		{"GET", "/api/v1/streams", "/api/v1/streams", 200, `"name":"live/cam1","state":"live","live":true,"viewers":3`, nil},
		{"GET", "/api/v1/streams", "/api/v1/streams?limit=1&app=live&name=ca&state=live&after=a", 200, `"total":1`, nil},
		{"GET", "/api/v1/streams", "/api/v1/streams?after=live/cam1", 200, `{"streams":[],"total":1}`, nil},
		{"GET", "/api/v1/streams", "/api/v1/streams?state=ended", 200, `{"streams":[],"total":0}`, nil},
		{"GET", "/api/v1/streams", "/api/v1/streams?limit=0", 422, "limit", nil},
		{"GET", "/api/v1/streams", "/api/v1/streams?state=dead", 422, "state", nil},
		{"GET", "/api/v1/streams", "/api/v1/streams?colour=red", 422, "colour", nil},
		{"GET", "/api/v1/streams/{app}/{name}", "/api/v1/streams/live/cam1", 200, `"sessions":[{"id":"k4"`, nil},
		{"GET", "/api/v1/streams/{app}/{name}", "/api/v1/streams/live/cam9", 404, "no such stream", nil},
		{"GET", "/api/v1/streams/{app}/{name}", "/api/v1/streams/live/c%20m", 404, "no such stream", nil},
		{"DELETE", "/api/v1/streams/{app}/{name}", "/api/v1/streams/live/cam1", 200, `"ended":true`, nil},
		{"DELETE", "/api/v1/streams/{app}/{name}", "/api/v1/streams/live/cam1?refuse=60", 200, `"refusedUntil"`, nil},
		{"DELETE", "/api/v1/streams/{app}/{name}", "/api/v1/streams/live/cam9", 404, "no such stream", nil},
		{"DELETE", "/api/v1/streams/{app}/{name}", "/api/v1/streams/live/cam1?refuse=x", 422, "refuse", nil},
		{"POST", "/api/v1/streams/{app}/{name}/switch", "/api/v1/streams/live/cam1/switch?pushed=live/cam1_720p", 202, "", nil},
		{"POST", "/api/v1/streams/{app}/{name}/switch", "/api/v1/streams/live/cam1/switch", 409, "nobody stands by", nil},
		{"POST", "/api/v1/streams/{app}/{name}/switch", "/api/v1/streams/live/cam9/switch", 404, "nobody publishes", nil},
		{"GET", "/api/v1/streams", "/api/v1/streams?health=warning", 200, `"total":1`, nil},
		{"GET", "/api/v1/streams", "/api/v1/streams?health=bad", 200, `"total":0`, nil},
		{"GET", "/api/v1/streams/{app}/{name}/timeline", "/api/v1/streams/live/cam1/timeline?seconds=1", 200, `"open":true,"starts":true,"parts":[{"duration":0.5,`, nil},
		{"GET", "/api/v1/streams/{app}/{name}/timeline", "/api/v1/streams/live/cam9/timeline", 404, "no such stream", nil},
		{"GET", "/api/v1/streams/{app}/{name}/frames", "/api/v1/streams/live/cam1/frames", 200, `"kind":"next"`, nil},
		{"GET", "/api/v1/streams/{app}/{name}/frames", "/api/v1/streams/live/cam1/frames?rendition=a1", 200, `"frames":[]`, nil},
		{"GET", "/api/v1/streams/{app}/{name}/frames", "/api/v1/streams/live/cam1/frames?seconds=1000", 422, "seconds", nil},
		{"GET", "/api/v1/history", "/api/v1/history?limit=1", 200, `"streams":[{"name":"live/cam1","bitrate":[`, nil},
		{"GET", "/api/v1/history", "/api/v1/history?points=0", 422, "points", nil},
		{"GET", "/api/v1/server", "/api/v1/server", 200, `"streams":{"live":1,"waiting":0,"ended":0,"bad":0,"warning":1}`, nil},
		{"GET", "/api/v1/viewers", "/api/v1/viewers", 200, `"total":3`, nil},
		{"GET", "/api/v1/sessions", "/api/v1/sessions", 200, `"why":"EOF"`, nil},
		{"GET", "/api/v1/sessions", "/api/v1/sessions?live=true&stream=live/cam2", 200, `{"sessions":[]}`, nil},
		{"GET", "/api/v1/sessions/{id}", "/api/v1/sessions/k4", 200, `"software":"OBS"`, nil},
		{"GET", "/api/v1/sessions/{id}", "/api/v1/sessions/k9", 404, "no such session", nil},
		{"DELETE", "/api/v1/sessions/{id}", "/api/v1/sessions/k4", 204, "", nil},
		{"DELETE", "/api/v1/sessions/{id}", "/api/v1/sessions/k9", 404, "no such session", nil},
		{"GET", "/api/v1/refused", "/api/v1/refused", 200, `"name":"live/cam1"`, nil},
		{"PUT", "/api/v1/refused/{app}/{name}", "/api/v1/refused/live/cam2?for=5", 200, `"until"`, nil},
		{"PUT", "/api/v1/refused/{app}/{name}", "/api/v1/refused/live/.cam", 404, "", nil},
		{"PUT", "/api/v1/refused/{app}/{name}", "/api/v1/refused/live/cam3", 507, "too many", nil},
		{"DELETE", "/api/v1/refused/{app}/{name}", "/api/v1/refused/live/cam2", 204, "", nil},
		{"DELETE", "/api/v1/refused/{app}/{name}", "/api/v1/refused/live/cam2", 404, "", nil},
		{"GET", "/api/v1/refusals", "/api/v1/refusals", 200, "access denied", nil},
		{"GET", "/api/v1/hooks", "/api/v1/hooks", 200, `"failingSince"`, nil},
		{"GET", "/api/v1/readers", "/api/v1/readers?stream=live/cam2", 200, `{"readers":[{"id":"r2","stream":"live/cam2"`, nil},
		{"GET", "/api/v1/relays", "/api/v1/relays?stream=live/cam1", 200, `{"relays":[{"direction":"push","stream":"live/cam1"`, nil},
		{"GET", "/api/v1/relays", "/api/v1/relays", 200, `"state":"live"`, nil},
		{"GET", "/api/v1/config", "/api/v1/config", 200, `{"path":"admin.token","value":"(hidden)","secret":true}`, nil},
		{"POST", "/api/v1/reload", "/api/v1/reload", 204, "", nil},
		{"POST", "/api/v1/reload", "/api/v1/reload", 409, "sluice.yaml:3", func() { h.faulty = true }},
		{"PUT", "/api/v1/drain", "/api/v1/drain", 200, `{"draining":true}`, nil},
		{"GET", "/readyz", "/readyz", 503, "drained", nil},
		{"GET", "/api/v1/drain", "/api/v1/drain", 200, `{"draining":true}`, nil},
		{"DELETE", "/api/v1/drain", "/api/v1/drain", 200, `{"draining":false}`, nil},
		{"GET", "/readyz", "/readyz", 200, "ok", nil},
		{"GET", "/healthz", "/healthz", 200, "ok", nil},
		{"GET", "/metrics", "/metrics", 200, "go_goroutines", nil},
		{"PUT", "/api/v1/log/level", "/api/v1/log/level?level=debug", 200, `{"level":"debug"}`, nil},
		{"PUT", "/api/v1/log/level", "/api/v1/log/level?level=loud", 422, "level", nil},
		{"PUT", "/api/v1/log/level", "/api/v1/log/level", 422, "level", nil},
		{"GET", "/api/v1/log/level", "/api/v1/log/level", 200, `{"level":"debug"}`, nil},
		{"GET", "/api/v1/events", "/api/v1/events", 200, ":", s.Feed.Close},
		{"GET", "/api/v1/log", "/api/v1/log", 200, ":", s.Log.Close},
	} {
		if c.before != nil {
			c.before()
		}
		asked[c.method+" "+c.pattern] = true
		request, err := http.NewRequest(c.method, server.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != c.code || !strings.Contains(string(body), c.has) {
			t.Errorf("%s %s: %d, want %d with %s\n%s", c.method, c.path, answer.StatusCode, c.code, c.has, body)
		}
		if kind := answer.Header.Get("Content-Type"); c.code >= 400 && strings.HasPrefix(c.path, "/api/") && kind != "application/problem+json" {
			t.Errorf("%s %s is no problem but %q", c.method, c.path, kind)
		}
		if err := judge.answer(c.method, c.pattern, c.code, answer.Header.Get("Content-Type"), body); err != nil {
			t.Errorf("%s %s: %v\n%s", c.method, c.path, err, body)
		}
		var value any
		if json.Unmarshal(body, &value) == nil {
			kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
			of := d.Paths[c.pattern][strings.ToLower(c.method)].Responses[fmt.Sprint(c.code)].Content[kind].Schema
			if places := d.undated("", of, value); len(places) > 0 {
				t.Errorf("%s %s: a time that the document calls text: %q", c.method, c.path, places)
			}
		}
	}
	for _, o := range s.table() {
		if !asked[o.Method+" "+o.Path] {
			t.Errorf("%s %s was not asked for", o.Method, o.Path)
		}
	}
}

// What isn't there is a problem for programs, and a line for people.
func TestNothingHere(t *testing.T) {
	_, s := office(t)
	for path, want := range map[string]string{"/api/v1/streems": "application/problem+json", "/streems": "text/plain; charset=utf-8"} {
		w := httptest.NewRecorder()
		s.Handler(nil).ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+path, nil))
		if w.Code != 404 || w.Header().Get("Content-Type") != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
	w := httptest.NewRecorder()
	s.Handler(nil).ServeHTTP(w, httptest.NewRequest("POST", "http://localhost/api/v1/streams", nil))
	if w.Code != 405 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("POST: %d %s", w.Code, w.Header().Get("Content-Type"))
	}
}

// Pages are followed to the end, and have each stream once.
func TestPages(t *testing.T) {
	_, s := office(t)
	c := packager.NewCatalog(packager.Settings{Segments: 3, Linger: time.Minute}, time.Now)
	for i := range 10 {
		name, err := packager.ParseStreamName("live", fmt.Sprint("cam", i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Publish(name); err != nil {
			t.Fatal(err)
		}
	}
	s.House = &house{all: c.Streams()}
	var names []string
	for p := (&Page{Limit: 3}); ; {
		out, err := s.streams(context.Background(), p)
		if err != nil || out.Body.Total != 10 {
			t.Fatal(err, out)
		}
		for _, one := range out.Body.Streams {
			names = append(names, one.Name)
		}
		if p.After = out.Body.Next; p.After == "" {
			break
		}
	}
	if len(names) != 10 || !slices.IsSorted(names) || len(slices.Compact(names)) != 10 {
		t.Error(names)
	}
}

// A page from elsewhere must not make the browser of an operator do something,
// whether that has the token or needs none.
func TestOtherOrigins(t *testing.T) {
	const token = "0123456789abcdef"
	for _, c := range []struct {
		name, method, path string
		header             map[string]string
		code               int
	}{
		{"no browser", "DELETE", "/api/v1/streams/live/cam1", nil, 200},
		{"the dashboard", "DELETE", "/api/v1/streams/live/cam1", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"the dashboard in an old browser", "DELETE", "/api/v1/streams/live/cam1", map[string]string{"Origin": "http://localhost:9090"}, 200},
		{"another page", "DELETE", "/api/v1/streams/live/cam1", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403},
		{"another page in an old browser", "DELETE", "/api/v1/streams/live/cam1", map[string]string{"Origin": "https://evil.example"}, 403},
		{"a page of another port", "POST", "/api/v1/reload", map[string]string{"Origin": "http://localhost:8080"}, 403},
		{"a page of a host beside it", "POST", "/api/v1/reload", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"a page in a sandbox", "PUT", "/api/v1/drain", map[string]string{"Origin": "null"}, 403},
		{"a form", "POST", "/api/v1/reload", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 415},
		{"a form that is text", "POST", "/api/v1/reload", map[string]string{"Content-Type": "text/plain"}, 415},
		{"JSON", "POST", "/api/v1/reload", map[string]string{"Content-Type": "application/json; charset=utf-8"}, 204},
		{"another page looks", "GET", "/api/v1/streams", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		{"another page listens", "GET", "/api/v1/events", map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403},
		{"a link on another page", "GET", "/api/v1/streams", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200},
	} {
		for _, guarded := range []bool{false, true} {
			_, s := office(t)
			r := httptest.NewRequest(c.method, "http://localhost:9090"+c.path, nil)
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			if guarded {
				s.Token = token
				r.SetBasicAuth("browser", token) // as browsers send it by themselves
			}
			w := httptest.NewRecorder()
			s.Handler(nil).ServeHTTP(w, r)
			if w.Code != c.code || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %d, want %d", c.name, w.Code, c.code)
			}
		}
	}
}

// The document has no more and no less than the table.
func TestDocumentIsTheTable(t *testing.T) {
	_, s := office(t)
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string
			Security    []map[string][]string
		}
	}
	if err := json.Unmarshal(s.openapiOf(t), &document); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, methods := range document.Paths {
		lines += len(methods)
	}
	if want := len(s.table()); lines != want {
		t.Errorf("%d lines in the document, %d in the table", lines, want)
	}
	for _, o := range s.table() {
		line, ok := document.Paths[o.Path][strings.ToLower(o.Method)]
		if !ok || line.OperationID != o.OperationID || (len(line.Security) == 0) != o.open {
			t.Errorf("%s %s: %v", o.Method, o.Path, line)
		}
	}
}
