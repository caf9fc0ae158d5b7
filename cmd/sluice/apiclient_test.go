package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/httpserve/admin"
)

// robot is a client of the API that knows nothing of it but its document: it makes its
// calls of that, by somebody else's library, which also judges document, calls and
// answers.
type robot struct {
	t     *testing.T
	at    string
	judge validator.Validator
	ids   map[string]string // values of parameters that have no example: they are found out
}

// call is one that the document allows.
type call struct {
	*v3.Operation
	method, path string
	query        url.Values
	body         string
}

// value is what the document gives as an example of a parameter.
func (r *robot) value(p *v3.Parameter) string {
	schema := p.Schema.Schema()
	switch {
	case r.ids[p.Name] != "":
		return r.ids[p.Name]
	case len(schema.Examples) > 0:
		return schema.Examples[0].Value
	case p.Example != nil:
		return p.Example.Value
	case len(schema.Enum) > 0:
		return schema.Enum[len(schema.Enum)-1].Value
	case schema.Default != nil:
		return schema.Default.Value
	case schema.Minimum != nil:
		return fmt.Sprint(*schema.Minimum)
	case slices.Contains(schema.Type, "boolean"):
		return "true"
	}
	return "1"
}

// calls are those of an operation: as short as it can be, and with all that it takes.
func (r *robot) calls(method, path string, o *v3.Operation) (all []call) {
	least, most := url.Values{}, url.Values{}
	for _, p := range o.Parameters {
		switch {
		case p.In == "path":
			path = strings.Replace(path, "{"+p.Name+"}", r.value(p), 1)
		case p.In == "query":
			most.Set(p.Name, r.value(p))
			if p.Required != nil && *p.Required {
				least.Set(p.Name, r.value(p))
			}
		}
	}
	all = append(all, call{o, method, path, least, ""})
	if len(most) > len(least) {
		all = append(all, call{o, method, path, most, ""})
	}
	if o.RequestBody != nil {
		says := map[string]string{}
		for name, p := range o.RequestBody.Content.GetOrZero("application/json").Schema.Schema().Properties.FromOldest() {
			if examples := p.Schema().Examples; len(examples) > 0 {
				says[name] = examples[0].Value
			}
		}
		body, _ := json.Marshal(says)
		all = append(all, call{o, method, path, least, string(body)})
	}
	return all
}

// make makes a call, and returns its status: one that the document has, with a body that
// is what the document says.
func (r *robot) make(c call) int {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
	defer cancel()
	request := func() *http.Request {
		q, err := http.NewRequestWithContext(ctx, c.method, r.at+c.path+"?"+c.query.Encode(), strings.NewReader(c.body))
		if err != nil {
			r.t.Fatal(err)
		}
		if c.body != "" {
			q.Header.Set("Content-Type", "application/json")
		}
		return q
	}
	if ok, faults := r.judge.ValidateHttpRequest(request()); !ok {
		r.t.Errorf("%s %s?%s: a call that the document allows: %v", c.method, c.path, c.query.Encode(), faults[0])
	}
	answer, err := http.DefaultClient.Do(request())
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, known := c.Responses.Codes.Get(fmt.Sprint(answer.StatusCode)); !known {
		r.t.Errorf("%s %s?%s: %d is not in the document", c.method, c.path, c.query.Encode(), answer.StatusCode)
	}
	kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	if kind == "text/event-stream" { // it has no end
		if n, err := answer.Body.Read(make([]byte, 1)); n == 0 {
			r.t.Errorf("%s: %v", c.path, err)
		}
		return answer.StatusCode
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if !strings.HasSuffix(kind, "json") {
		return answer.StatusCode
	}
	if ok, faults := r.judge.ValidateHttpResponse(request(), answer); !ok {
		r.t.Errorf("%s %s: %d: %v: %.300s", c.method, c.path, answer.StatusCode, faults[0], body)
	}
	return answer.StatusCode
}

// Whoever makes a client of the document, and of nothing else, can call every route of a
// server that works, and understands every answer. What takes something away comes last.
func TestClientOfTheDocument(t *testing.T) {
	defer zerolog.SetGlobalLevel(zerolog.GlobalLevel())
	setLevel(config.Log{Level: "info"})
	r := rule(t, func(c *config.Config) { c.Admin.Addr, c.Publish.Backup = "127.0.0.1:0", true })
	for range 2 {
		go publishClip(t.Context(), "rtmp://"+r.ports.Addr.RTMP.String()+"/live/cam1")
	}
	r.until("/api/v1/streams", `"onAir":false`)
	document, err := libopenapi.NewDocument(r.command("GET", "/api/v1/openapi.json", 200))
	if err != nil {
		t.Fatal(err)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	judge, faults := validator.NewValidator(document)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if ok, faults := judge.ValidateDocument(); !ok {
		t.Errorf("the document is not OpenAPI's: %v", faults[0])
	}
	var list struct{ Sessions []admin.Session }
	if err := json.Unmarshal(r.command("GET", "/api/v1/sessions?live=true", 200), &list); err != nil || len(list.Sessions) != 2 {
		t.Fatal(list, err)
	}
	one := &robot{t: t, at: "http://" + r.ports.Addr.Admin.String(), judge: judge, ids: map[string]string{"id": list.Sessions[0].ID}}
	routes, done := 0, map[string]bool{}
	for _, methods := range []string{"get", "post put", "delete"} {
		for path, item := range model.Model.Paths.PathItems.FromOldest() {
			for method, o := range item.GetOperations().FromOldest() {
				if !strings.Contains(methods, method) {
					continue
				}
				routes++
				for _, c := range one.calls(strings.ToUpper(method), path, o) {
					if code := one.make(c); code < 300 {
						done[o.OperationId] = true
					}
				}
				if !done[o.OperationId] {
					t.Errorf("%s %s: %s was never done", method, path, o.OperationId)
				}
			}
		}
	}
	if routes < 25 {
		t.Errorf("%d routes", routes)
	}
}
