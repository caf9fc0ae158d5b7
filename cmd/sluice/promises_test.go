package main

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Each fault and each law that a test names by its number has its line in docs.
func TestEveryNumberIsTold(t *testing.T) {
	told := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^\| ([FN]\d+) \|`).FindAllStringSubmatch(read(t, "docs/faults.md")+read(t, "docs/security.md"), -1) {
		told[m[1]] = true
	}
	used := regexp.MustCompile(`(?:\bTest|\b|")([FN]\d{1,2})(?:[A-Z]|\b)`)
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasSuffix(path, "node_modules") {
			return err
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, path)
		for _, m := range used.FindAllSubmatch(text, -1) {
			if !told[string(m[1])] {
				t.Errorf("%s: %s is told nowhere", path, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(told) < 39 {
		t.Errorf("only %d are told", len(told))
	}
}

// What docs/security.md promises is shown by tests: each one that it names is
// there, and no row of threats is without.
func TestEveryPromiseHasItsTest(t *testing.T) {
	there := make(map[string]bool)
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasSuffix(path, "node_modules") {
			return err
		}
		if strings.HasSuffix(path, "_test.go") {
			text, err := fs.ReadFile(root, path)
			if err != nil {
				return err
			}
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(text, -1) {
				there[string(m[1])] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	makefile := read(t, "Makefile")
	_, threats, _ := strings.Cut(read(t, "docs/security.md"), "## Threats")
	threats, _, _ = strings.Cut(threats, "## What is not defended")
	rows := 0
	for line := range strings.Lines(threats) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) != 3 || strings.TrimSpace(cells[0]) == "threat" || strings.Trim(line, "|- \n") == "" {
			continue
		}
		rows++
		shown := regexp.MustCompile("`(?:(make) )?(\\w+)`").FindAllStringSubmatch(cells[2], -1)
		if len(shown) == 0 {
			t.Errorf("nothing shows it: %s", line)
		}
		for _, s := range shown {
			switch {
			case s[1] == "make":
				if !strings.Contains(makefile, "\n"+s[2]+":") {
					t.Errorf("there is no make %s: %s", s[2], line)
				}
			case regexp.MustCompile("^(Test|Fuzz)").MatchString(s[2]) && !there[s[2]]:
				t.Errorf("there is no %s: %s", s[2], line)
			}
		}
	}
	if rows < 50 {
		t.Errorf("only %d rows of threats were found", rows)
	}
}
