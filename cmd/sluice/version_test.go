package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// read is a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The version tells of an old Go what go.mod would have had, and all else that is
// to be known of a build.
func TestVersionTellsHowItWasBuilt(t *testing.T) {
	if m := regexp.MustCompile(`(?m)^toolchain (.+)$`).FindStringSubmatch(read(t, "go.mod")); m == nil || m[1] != wantedGo {
		t.Errorf("go.mod has %q, we go by %s", m, wantedGo)
	}
	for built, want := range map[string]string{
		"go1.26.8": "holes are known", "go1.26.9 X:nojsonv2": "holes are known", "go1.25.30": "holes are known", "go1.26rc1": "holes are known",
		"go1.26.8-custom": "holes are known", "go1.26": "holes are known",
		wantedGo: "", wantedGo + " X:nocoverageredesign": "", "go1.26.11": "", "go1.27.0": "", "go1.100.0": "",
		"devel go1.27-abcdef": "unknown", "": "unknown",
	} {
		if got := goNote(built); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", built, got, want)
		}
	}
	var out bytes.Buffer
	printVersion(&out)
	if text := out.String(); !strings.HasPrefix(text, "sluice ") || !strings.Contains(text, runtime.Version()) || !strings.Contains(text, "commit ") ||
		strings.Contains(text, "holes") != (goNote(runtime.Version()) != "") {
		t.Errorf("%s", text)
	}
}

// make build takes the Go that go.mod asks for, fetches it where it isn't here,
// and does not keep to itself that it could not.
func TestBuildSaysWhichGo(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make here")
	}
	for _, c := range []struct {
		name, have string
		fetched    bool
		with       string // the toolchain that builds
		told       bool
	}{
		{"the right one is here", wantedGo, false, "as it was", false},
		{"a later one is here", "go1.99.0", false, "as it was", false},
		{"it is fetched", "go1.26.8", true, wantedGo, false},
		{"it can't be fetched", "go1.26.8", false, "local", true},
		{"of an older series", "go1.9.9", false, "local", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			fetch := "echo 'go: download " + wantedGo + ": no way there' >&2; exit 1"
			if c.fetched {
				fetch = "exit 0"
			}
			program := fmt.Sprintf(`#!/bin/sh
case "$1 $GOTOOLCHAIN" in
"env local") echo %s ;;
"version %s") %s ;;
"build "*) echo "$GOTOOLCHAIN" > %s/built ;;
*) echo "asked for $*, toolchain $GOTOOLCHAIN" >&2; exit 2 ;;
esac
`, c.have, wantedGo, fetch, dir)
			if err := os.WriteFile(filepath.Join(dir, "go"), []byte(program), 0o700); err != nil {
				t.Fatal(err)
			}
			made := exec.Command("make", "-C", "../..", "-o", "web", "-o", "web/dist/hls.min.js", "build", "GO="+filepath.Join(dir, "go"))
			made.Env = append(os.Environ(), "GOTOOLCHAIN=as it was", "MAKEFLAGS=")
			var told bytes.Buffer
			made.Stderr = &told
			if err := made.Run(); err != nil {
				t.Fatalf("%v:\n%s", err, told.String())
			}
			built, _ := os.ReadFile(filepath.Join(dir, "built"))
			if got := strings.TrimSpace(string(built)); got != c.with {
				t.Errorf("built with toolchain %q, want %q", got, c.with)
			}
			if got := strings.Contains(told.String(), "CAN'T BE FETCHED") && strings.Contains(told.String(), "no way there"); got != c.told {
				t.Errorf("told:\n%s", told.String())
			}
		})
	}
}

// The container is made for strangers' certificates, for a user that can make no
// directory, and by the Go of go.mod: nothing in it but what is copied.
func TestContainerHasWhatItNeeds(t *testing.T) {
	file := read(t, "Dockerfile")
	stages := regexp.MustCompile(`(?m)^FROM `).Split(file, -1)
	build, last := stages[len(stages)-2], stages[len(stages)-1]
	for _, c := range []struct{ what, in, want string }{
		{"the Go of go.mod is fetched", build, `(?m)^ENV GOTOOLCHAIN=auto$`},
		{"the commit is told", build, `-X main\.commit=\$COMMIT`},
		{"root certificates, where Go looks", last, `(?m)^COPY --from=build /etc/ssl/certs/ca-certificates\.crt /etc/ssl/certs/ca-certificates\.crt$`},
		{"it is nobody", last, `(?m)^USER 65534:65534$`},
		{"acme.cache is made …", build, `(?m)^RUN mkdir -p /owned/acme$`},
		{"… and nobody's", last, `(?m)^COPY --from=build --chown=65534:65534 /owned/ /$`},
	} {
		if !regexp.MustCompile(c.want).MatchString(c.in) {
			t.Errorf("%s: no %s in\n%s", c.what, c.want, c.in)
		}
	}
	if strings.Index(build, "ENV GOTOOLCHAIN") > strings.Index(build, "go mod download") {
		t.Error("modules are fetched by another Go")
	}
}
