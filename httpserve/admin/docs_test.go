package admin

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"encoding/json"
)

var update = flag.Bool("update", false, "write docs/api.md anew")

// docs/api.md is made from the table: `go test ./httpserve/admin -run Docs -update`.
func TestDocs(t *testing.T) {
	_, s := office(t)
	var d document
	if err := json.Unmarshal(s.openapiOf(t), &d); err != nil {
		t.Fatal(err)
	}
	const file = "../../docs/api.md"
	want := d.markdown(s.table())
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != want {
		t.Errorf("docs/api.md is not what the table says, %v: go test ./httpserve/admin -run Docs -update", err)
	}
}

// document is what is read of an OpenAPI document.
type document struct {
	Paths      map[string]map[string]line
	Components struct{ Schemas map[string]schema }
}

type line struct {
	Summary, Description string
	Parameters           []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
	}
	RequestBody struct {
		Description string
		Content     map[string]struct{ Schema schema }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema schema }
	}
}

type schema struct {
	Ref              string `json:"$ref"`
	Type             any
	Format           string
	Description      string
	Enum             []any
	Default          any
	Minimum, Maximum *float64
	Properties       map[string]schema
	Items            *schema
	Examples         []any
}

func (s schema) name() string { return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:] }

// what a value is, in a few words.
func (s schema) what() string {
	kind := fmt.Sprint(s.Type)
	switch {
	case s.Ref != "":
		return "[" + s.name() + "](#" + strings.ToLower(s.name()) + ")"
	case s.Items != nil:
		return "list of " + s.Items.what()
	case s.Format == "date-time":
		return "time (RFC 3339)"
	case len(s.Enum) > 0:
		var words []string
		for _, w := range s.Enum {
			words = append(words, fmt.Sprintf("`%v`", w))
		}
		kind = strings.Join(words, ", ")
	}
	if s.Minimum != nil && s.Maximum != nil {
		kind += fmt.Sprintf(", %.0f to %.0f", *s.Minimum, *s.Maximum)
	}
	if s.Default != nil {
		kind += fmt.Sprintf(", %v by default", s.Default)
	}
	return kind
}

const preface = `# The API

Operators and their programs ask at the admin address (` + "`admin.addr`" + `, 127.0.0.1:9090 by default). Where ` + "`admin.token`" + ` is
set, it is asked for: ` + "`Authorization: Bearer TOKEN`" + `, or the password of any user. [/api/v1/openapi.json](http://127.0.0.1:9090/api/v1/openapi.json)
describes all of it for programs (OpenAPI 3.1), and this page is made from that.

    curl -s http://127.0.0.1:9090/api/v1/streams
    curl -X DELETE 'http://127.0.0.1:9090/api/v1/streams/live/cam1?refuse=600'
    curl -N http://127.0.0.1:9090/api/v1/events

- What is to be said is in the path and the query. Where a route takes a body, that is JSON (` + "`Content-Type: application/json`" + `), 4 KiB
  at most, and not chunked.
- Errors are problems (RFC 9457, ` + "`application/problem+json`" + `): ` + "`title`, `status`, and `detail`" + ` in words.
- A page of another origin is refused (` + "`Sec-Fetch-Site`, `Origin`" + `), but for links that a person follows: a page that an operator
  looks at can't end a stream by the operator's browser. Without a token, nothing is answered by another name than localhost or an address.
- Viewers are counted within the last half minute, by the session ids that players send (CMCD, ` + "`sid`" + `), else by address and
  ` + "`User-Agent`" + `. Neither is kept: what is remembered for that half minute is a number that means nothing elsewhere. Viewers behind a
  cache that joins their requests aren't seen.
`

func (d *document) markdown(table []operation) string {
	var b strings.Builder
	b.WriteString(preface)
	tag := ""
	for _, o := range table {
		if o.Tags[0] != tag {
			tag = o.Tags[0]
			fmt.Fprintf(&b, "\n## %s\n", tag)
		}
		l := d.Paths[o.Path][strings.ToLower(o.Method)]
		fmt.Fprintf(&b, "\n### %s %s\n\n%s.\n", o.Method, o.Path, l.Summary)
		if l.Description != "" {
			fmt.Fprintf(&b, "\n%s\n", l.Description)
		}
		b.WriteString("\n")
		for _, p := range l.Parameters {
			fmt.Fprintf(&b, "- `%s` (%s): %s%s\n", p.Name, p.In, p.Schema.what(), sentence(p.Description))
		}
		if c, ok := l.RequestBody.Content["application/json"]; ok {
			fmt.Fprintf(&b, "- body: %s%s\n", c.Schema.what(), sentence(l.RequestBody.Description))
		}
		for _, code := range slices.Sorted(maps.Keys(l.Responses)) {
			switch answer := l.Responses[code]; {
			case code > "300" && code != "401" && code != "403" && code != "422" && code != "500":
				fmt.Fprintf(&b, "- %s: %s\n", code, strings.ToLower(strings.TrimSuffix(answer.Description, ".")))
			case code == "202":
				b.WriteString("- 202: it will be done\n")
			case code == "204":
				b.WriteString("- 204: done\n")
			case code == "200":
				for kind, c := range answer.Content {
					if c.Schema.Ref != "" {
						fmt.Fprintf(&b, "- 200: %s\n", c.Schema.what())
					} else {
						fmt.Fprintf(&b, "- 200: `%s`\n", kind)
					}
				}
			}
		}
	}
	b.WriteString("\n## What comes back\n\nMembers that are not in an answer are empty, zero or unknown.\n")
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		if name == "ErrorModel" || name == "ErrorDetail" {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", name)
		s := d.Components.Schemas[name]
		for _, member := range slices.Sorted(maps.Keys(s.Properties)) {
			fmt.Fprintf(&b, "- `%s`: %s%s\n", member, s.Properties[member].what(), sentence(s.Properties[member].Description))
		}
	}
	return b.String()
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return ". " + s
}
