package main

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/config"
)

// page is a file of words: the root's and those in docs.
type page struct {
	path  string // from the root
	text  string
	prose string // the same without what is fenced
}

var fenced = regexp.MustCompile("(?ms)^( *)```([^\n]*)\n(.*?)^ *```$")

func pages(t *testing.T) (all []page) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		files, err := filepath.Glob("../../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			path := filepath.ToSlash(strings.TrimPrefix(f, "../../"))
			text := read(t, path)
			all = append(all, page{path, text, fenced.ReplaceAllString(text, "")})
		}
	}
	return all
}

// anchors are the names that headings have on a page, as GitHub makes them.
func (p page) anchors() map[string]bool {
	names := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(p.prose, -1) {
		name := strings.ReplaceAll(regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		for base, n := name, 1; names[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		names[name] = true
	}
	return names
}

// Each link between pages leads to a file that is there, and to a heading of it.
func TestDocsLinks(t *testing.T) {
	all := pages(t)
	anchors := make(map[string]map[string]bool)
	for _, p := range all {
		anchors[p.path] = p.anchors()
	}
	links := 0
	for _, p := range all {
		if strings.Contains(p.prose, "[](") {
			t.Errorf("%s has a link that nobody sees: it has no text", p.path)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(p.prose, -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %v", p.path, err)
				continue
			}
			if u.IsAbs() {
				continue
			}
			links++
			to := p.path
			if u.Path != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(p.path), u.Path))
				if _, err := os.Stat("../../" + to); err != nil {
					t.Errorf("%s leads to %s: %v", p.path, m[1], err)
				}
			}
			if u.Fragment != "" && anchors[to] != nil && !anchors[to][u.Fragment] {
				t.Errorf("%s leads to %s, and %s has no such heading", p.path, m[1], to)
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d links were found", links)
	}
	index := read(t, "docs/README.md")
	for _, p := range all {
		if name, ok := strings.CutPrefix(p.path, "docs/"); ok && name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/README.md doesn't lead to %s", name)
		}
	}
}

// What pages name is there: settings, flags, variables, routes, metrics, subcommands, targets of make.
func TestDocsNames(t *testing.T) {
	settings, flags, variables := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	groups := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^### (\\S+)\n\n.* by default\\. `(\\S+)`, `(\\S+)`$").FindAllStringSubmatch(read(t, "docs/settings.md"), -1) {
		settings[m[1]], flags[m[2]], variables[m[3]] = true, true, true
		for name := m[1]; strings.Contains(name, "."); {
			name = name[:strings.LastIndexByte(name, '.')]
			groups[name] = true
		}
	}
	routes := map[string]bool{"/api/v1/openapi.json": true}
	for _, m := range regexp.MustCompile(`(?m)^### [A-Z]+ (\S+)$`).FindAllStringSubmatch(read(t, "docs/api.md"), -1) {
		routes[strings.NewReplacer("{app}", "*", "{name}", "*", "{id}", "*").Replace(m[1])] = true
	}
	var tops []string
	for g := range groups {
		if !strings.Contains(g, ".") {
			tops = append(tops, g)
		}
	}
	metrics, makefile := read(t, "docs/metrics.md"), read(t, "Makefile")
	setting := regexp.MustCompile("`(?:" + strings.Join(tops, "|") + `)(?:\.[a-z0-9_]+)+`)
	known := func(command string) bool {
		return strings.Contains(usage(), "\n  sluice "+command[strings.LastIndexByte(command, ' ')+1:]+" ")
	}
	seen := make(map[string]int)
	for _, p := range pages(t) {
		if p.path == "CHANGELOG.md" || p.path == "ARCHITECTURE.md" {
			continue // of what was, and of Go's packages
		}
		check := func(kind string, names []string, ok func(string) bool) {
			for _, n := range names {
				seen[kind]++
				if !ok(n) {
					t.Errorf("%s names the %s %q, which is not there", p.path, kind, n)
				}
			}
		}
		check("setting", setting.FindAllString(p.text, -1), func(n string) bool { return settings[n[1:]] || groups[n[1:]] })
		check("variable", regexp.MustCompile(`\bSLUICE_[A-Z0-9_]+\b`).FindAllString(p.text, -1), func(n string) bool { return variables[n] || n == "SLUICE_CONFIG" })
		check("flag", regexp.MustCompile(`(?:^|[\s`+"`(])-(?:"+strings.Join(tops, "|")+`)-[a-z-]+\b`).FindAllString(p.text, -1),
			func(n string) bool { return flags[n[strings.IndexByte(n, '-'):]] })
		check("route", regexp.MustCompile(`/api/v1/[a-zA-Z0-9/{}._-]+`).FindAllString(p.text, -1), func(n string) bool {
			n = regexp.MustCompile(`^(/api/v1/\w+)/(?:live|APP|\{app\})/(?:\w+|\{name\})`).ReplaceAllString(strings.TrimRight(n, "./"), "$1/*/*")
			return routes[n] || routes[regexp.MustCompile(`(sessions|publishers)/[^/]+$`).ReplaceAllString(n, "$1/*")]
		})
		check("metric", regexp.MustCompile(`\bsluice_[a-z_]+\b`).FindAllString(p.text, -1), func(n string) bool {
			return strings.Contains(metrics, "`"+n+"`") || strings.HasSuffix(n, "_")
		})
		check("command", regexp.MustCompile("(?m)(?:`|^\\$ )sluice [a-z]+").FindAllString(p.text, -1), known)
		for _, m := range fenced.FindAllStringSubmatch(p.text, -1) {
			check("command", regexp.MustCompile(`(?m)^sluice [a-z]+`).FindAllString(m[3], -1), known)
		}
		check("target", regexp.MustCompile("(?m)(?:`|^)make [a-z][a-z0-9-]+").FindAllString(p.text, -1), func(n string) bool {
			return strings.Contains(makefile, "\n"+n[strings.LastIndexByte(n, ' ')+1:]+":")
		})
	}
	for kind, least := range map[string]int{"setting": 120, "variable": 90, "flag": 90, "route": 30, "metric": 30, "command": 10, "target": 20} {
		if seen[kind] < least {
			t.Errorf("only %d names of a %s were found", seen[kind], kind)
		}
	}
}

// make help lists each target that says what it does.
func TestMakeHelp(t *testing.T) {
	help, err := exec.Command("make", "--no-print-directory", "-C", "../..", "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^([^\s:]+):.* ## `).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		if !strings.Contains("\n"+string(help), "\n"+m[1]+" ") {
			t.Errorf("make help doesn't list %s", m[1])
		}
	}
}

// A command says whether it is run, by tests or by hand; where it is not, the page says so.
func TestDocsCommandsAreRun(t *testing.T) {
	for _, p := range pages(t) {
		if p.path == "docs/abr.md" {
			continue // e2e/abr_test.go takes its commands from there
		}
		for _, m := range fenced.FindAllStringSubmatch(p.text, -1) {
			switch kind := strings.TrimSpace(m[2]); kind {
			case "sh push", "sh watch", "sh run", "sh hand":
			case "sh unrun":
				if !strings.Contains(p.prose, "not run") {
					t.Errorf("%s doesn't say that this was not run:\n%s", p.path, m[3])
				}
			default:
				if strings.HasPrefix(kind, "sh") || strings.HasPrefix(kind, "bash") {
					t.Errorf("%s: is it run, and by whom?\n%s", p.path, m[3])
				}
			}
		}
	}
}

// What is fenced as yaml is a configuration of ours, unless it says whose it is.
func TestDocsConfigurations(t *testing.T) {
	all := pages(t)
	t.Chdir(t.TempDir())
	writeKeyPair(t, "live.pem", "live.key") // which some of them name
	n := 0
	for _, p := range all {
		for _, m := range fenced.FindAllStringSubmatch(p.text, -1) {
			if strings.TrimSpace(m[2]) != "yaml" {
				continue
			}
			n++
			if err := os.WriteFile("sluice.yaml", []byte(m[3]), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := config.Load(nil, nil); err != nil {
				t.Errorf("%s: %v\n%s", p.path, err, m[3])
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d were found", n)
	}
}

func writeKeyPair(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What docs/trouble.md quotes is what the program says.
func TestDocsMessages(t *testing.T) {
	var sources strings.Builder
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (strings.HasSuffix(path, "node_modules") || path == "e2e") {
			return cmp.Or(err, fs.SkipDir)
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			sources.WriteString(read(t, path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range regexp.MustCompile("`((?:[a-z]|This )[^`=]* [^`=]* [^`=]*)`").FindAllStringSubmatch(fenced.ReplaceAllString(read(t, "docs/trouble.md"), ""), -1) {
		switch word, _, _ := strings.Cut(m[1], " "); word {
		case "sluice", "ssh", "journalctl", "bind:": // commands, and what the system says
			continue
		}
		if n++; !strings.Contains(sources.String(), m[1]) {
			t.Errorf("nothing says %q", m[1])
		}
	}
	if n < 15 {
		t.Errorf("only %d were found", n)
	}
}
