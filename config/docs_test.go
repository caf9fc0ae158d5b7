package config

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/settings.md anew")

// docs/settings.md is what sluice.yaml says: go test ./config -run Docs -update.
func TestDocs(t *testing.T) {
	const file = "../docs/settings.md"
	want := settings()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != want {
		t.Errorf("docs/settings.md is not what config/sluice.yaml says, %v: go test ./config -run Docs -update", err)
	}
}

// inMarkdown keeps signs of Markdown what they are, but in `code`.
func inMarkdown(text string) string {
	return regexp.MustCompile("`[^`]*`|[*<>|]").ReplaceAllStringFunc(text, func(s string) string {
		if strings.HasPrefix(s, "`") {
			return s
		}
		return `\` + s
	})
}

func settings() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Every setting\n\nThis page is made from [config/sluice.yaml](../config/sluice.yaml), where all settings are at their defaults.\n\n"+
		"- In the file `sluice.yaml` of the folder where sluice starts, or in the one that `-config FILE` names, `rtmp.addr` is the key `addr` below `rtmp`.\n"+
		"- Flags win over the environment, the environment over the file, the file over the defaults.\n"+
		"- In flags and in the environment, lists are written `a,b,c`, and what has names `a=x,b=y`.\n"+
		"- Durations are written `2s` or `500ms`, sizes `64KiB` or `16MiB`. An empty address is off.\n"+
		"- `sluice check` names all mistakes, with file, line and key. `GET /api/v1/config` ([api.md](api.md)) tells what a server goes by.\n"+
		"- Which of them you need for what you want to do is on the [other pages](README.md).\n"+
		"- What can be changed without a restart is in [operations.md](operations.md#reload).\n")
	c := Default()
	var groups []string
	for _, f := range fieldsOf(&c) {
		if !slices.Contains(groups, f.group) {
			groups = append(groups, f.group)
		}
	}
	for i, g := range groups {
		title, _ := heading(g)
		groups[i] = fmt.Sprintf("[%s](#%s)", title, strings.NewReplacer(".", "", " ", "-").Replace(title))
	}
	fmt.Fprintf(&b, "\n%s\n", strings.Join(groups, " · "))
	group := ""
	for _, f := range fieldsOf(&c) {
		if f.group != group {
			group = f.group
			title, text := heading(group)
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", title, inMarkdown(text))
		}
		value := "empty"
		if v := f.String(); v != "" {
			value = "`" + v + "`"
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s by default. `%s`, `%s`\n\n%s\n", f.path, value, flagName(f.path), envName(f.path), inMarkdown(told()[f.path]))
	}
	return b.String()
}

// heading is how a group of settings is called, and what is said of it.
func heading(group string) (title, text string) {
	if group == "" {
		return "pull and push", "Relays: [relay.md](relay.md)."
	}
	return group, told()[group]
}
