package config

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Default returns the configuration of an operator who has said nothing: what sluice.yaml says.
func Default() Config {
	c := defaults() // a copy, but for what lists and maps lead to
	for _, f := range fieldsOf(&c) {
		switch p := f.ptr.(type) {
		case *[]string:
			*p = slices.Clone(*p)
		case *map[string]string:
			*p = maps.Clone(*p)
		case *map[string][]string:
			*p = maps.Clone(*p) // what is in it by default is no list
		}
	}
	return c
}

var defaults = sync.OnceValue(func() (c Config) {
	l := newLoader(fieldsOf(&c))
	l.parseYAML(defaultFile, Sample)
	if len(l.errs) > 0 {
		panic(fmt.Sprint("config: ", errors.Join(l.errs...))) // a test would have seen it
	}
	return c
})

// told has what sluice.yaml tells of a setting or a group of them, by its path.
var told = sync.OnceValue(func() map[string]string { return comments(string(Sample)) })

var keyLine = regexp.MustCompile(`^( *)([a-z0-9_]+):`)

// comments returns what stands above each key of a file: the whole comment, in one line. One that
// follows another without a line between is told of by the same comment.
func comments(file string) map[string]string {
	all := make(map[string]string)
	var path []string
	var text []string
	fresh := true // no key has had the text yet
	for line := range strings.Lines(file) {
		line = strings.TrimRight(line, "\n")
		trimmed := strings.TrimSpace(line)
		switch m := keyLine.FindStringSubmatch(line); {
		case m != nil:
			path = append(path[:len(m[1])/2], m[2])
			all[strings.Join(path, ".")] = strings.Join(text, " ")
			fresh = false
		case strings.HasPrefix(trimmed, "#"):
			if !fresh {
				text, fresh = nil, true
			}
			text = append(text, strings.Fields(trimmed[1:])...)
		default:
			text, fresh = nil, true
		}
	}
	return all
}

// short is the first sentence of a comment.
func short(comment string) string {
	first, _, _ := strings.Cut(comment+" ", ". ")
	return strings.TrimSuffix(strings.TrimSpace(first), ".")
}
