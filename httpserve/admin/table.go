package admin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

// documentPath is where the OpenAPI document is.
const documentPath = "/api/v1/openapi.json"

// operation is a line of the table: something that can be asked for.
type operation struct {
	huma.Operation
	open bool // to whoever looks whether the server lives: it need not know more
	lay  func(huma.API, huma.Operation)
}

// table has all of them, in the order of docs/api.md.
func (s *Server) table() []operation {
	return slices.Concat(s.aboutStreams(), s.aboutPublishers(), s.aboutRelays(), s.aboutHappenings(), s.aboutProcess())
}

// lay makes routes of the table, and returns the document of them.
func (s *Server) lay(open, guarded chi.Router) (document []byte) {
	inJSON := huma.Format{Marshal: encode, Unmarshal: json.Unmarshal}
	cfg := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "sluice", Version: "1", Description: "What operators ask of sluice, and have it do."},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer", Description: "admin.token, where there is one."},
					"basic":  {Type: "http", Scheme: "basic", Description: "admin.token as the password of any user."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": inJSON, "json": inJSON}, // as such, and as …+json
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
	guardedAPI := humachi.New(guarded, cfg)
	openAPI := humachi.New(open, cfg) // writes into the same document
	for _, o := range s.table() {
		o.Errors = append(o.Errors, http.StatusUnprocessableEntity)
		if o.open {
			o.lay(openAPI, o.Operation)
			continue
		}
		o.Errors = append(o.Errors, http.StatusUnauthorized, http.StatusForbidden)
		o.Security = []map[string][]string{{"bearer": {}}, {"basic": {}}, {}}
		o.lay(guardedAPI, o.Operation)
	}
	document, err := json.Marshal(cfg.OpenAPI)
	if err != nil {
		panic(err) // it is made of our own types
	}
	return document
}

// encode writes a whole answer, in one Write, or none.
func encode(w io.Writer, v any) error {
	e := json.NewEncoder(patient{w})
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// patient is a writer of answers: who doesn't read his is no fault of the server.
type patient struct{ io.Writer }

func (p patient) Write(b []byte) (int, error) {
	_, _ = p.Writer.Write(b)
	return len(b), nil
}

func init() { huma.DefaultArrayNullable = false } // there is always a list, be it empty

// none is the input of what needs none.
type none struct{}

// output is a JSON answer.
type output[T any] struct{ Body T }

// on is a line that takes I from path and query, and answers with O.
func on[I, O any](method, path, id, tag, summary string, answer func(context.Context, *I) (*O, error), errors ...int) operation {
	return operation{
		Operation: huma.Operation{Method: method, Path: path, OperationID: id, Tags: []string{tag}, Summary: summary, Errors: errors},
		lay:       func(api huma.API, o huma.Operation) { huma.Register(api, o, answer) },
	}
}

// text is a line that answers by itself, with something else than JSON.
func text(path, id, tag, summary, contentType string, answer http.HandlerFunc, codes ...string) operation {
	o := on("GET", path, id, tag, summary, func(context.Context, *none) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(c huma.Context) {
			r, w := humachi.Unwrap(c)
			answer(w, r)
		}}, nil
	})
	o.Responses = map[string]*huma.Response{}
	for _, code := range append(codes, "200") {
		kind, schema := contentType, &huma.Schema{Type: huma.TypeString}
		if code != "200" && strings.HasPrefix(path, "/api/") {
			kind, schema = "application/problem+json", &huma.Schema{Ref: "#/components/schemas/ErrorModel"}
		}
		o.Responses[code] = &huma.Response{
			Description: map[string]string{"200": "As it is.", "503": "Not now."}[code],
			Content:     map[string]*huma.MediaType{kind: {Schema: schema}},
		}
	}
	return o
}
