package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// file reads the file that the flag names, else the environment, else the one that may be there.
func (l *loader) file(fromFlag string, environ []string) {
	fromEnv := ""
	for _, entry := range environ {
		if text, ok := strings.CutPrefix(entry, envFile+"="); ok {
			fromEnv = text
		}
	}
	name := cmp.Or(fromFlag, fromEnv, defaultFile)
	data, err := os.ReadFile(name)
	switch {
	case err == nil:
		l.parseYAML(name, data)
	case fromFlag != "":
		l.fail("-config", err)
	case fromEnv != "":
		l.fail(envFile, err)
	case !errors.Is(err, fs.ErrNotExist):
		l.errs = append(l.errs, err)
	}
}

// parseYAML reads a file's contents. Working on the tree of nodes keeps the line of every key, and
// lets us report all faults where the library's own decoding would stop or not look.
func (l *loader) parseYAML(file string, data []byte) {
	docs, err := documents(data)
	if err != nil {
		l.errs = append(l.errs, syntaxError(file, data, err))
		return
	}
	t := tree{loader: l, file: file, seen: map[string]int{}}
	for i, doc := range docs {
		if i > 0 {
			l.fail(t.line(doc), errors.New("a second document; only one is read"))
			return
		}
		t.group("", doc.Content[0], t.line(doc.Content[0]))
	}
}

func documents(data []byte) ([]*yaml.Node, error) {
	var docs []*yaml.Node
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		doc := new(yaml.Node)
		err := d.Decode(doc)
		if err == io.EOF {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
}

var libraryPlace = regexp.MustCompile(`^yaml: (line \d+: )?`)

// syntaxError says what the library said, but finds the line itself: the library may name the one
// before, the one where the enclosing block starts, or none. The line at fault is the one after the
// longest beginning of the file that is still YAML.
func syntaxError(file string, data []byte, err error) error {
	lines := bytes.SplitAfter(data, []byte("\n"))
	good := len(lines) - 1
	for ; good > 0; good-- {
		if _, err := documents(bytes.Join(lines[:good], nil)); err == nil {
			break
		}
	}
	text := err.Error()
	return fmt.Errorf("%s:%d: %s", file, good+1, text[len(libraryPlace.FindString(text)):])
}

// A tree is a file on its way into a loader.
type tree struct {
	*loader
	file string
	seen map[string]int // path → line
}

func (t tree) line(n *yaml.Node) string {
	return fmt.Sprintf("%s:%d", t.file, n.Line)
}

// group reads the keys below prefix, which is empty or ends with a dot. The place is for what goes
// wrong with the group as such.
func (t tree) group(prefix string, n *yaml.Node, place string) {
	n = target(n)
	if isNull(n) {
		return // an empty file, or a group whose keys are all commented out
	}
	if n.Kind != yaml.MappingNode {
		t.fail(place, errors.New("want keys and values, not "+kindName(n)))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			t.fail(t.line(key), errors.New("want a key, not "+kindName(key)))
			continue
		}
		t.entry(prefix+key.Value, key, value)
	}
}

func (t tree) entry(path string, key, value *yaml.Node) {
	here := t.line(key)
	if line, ok := t.seen[path]; ok {
		t.fail(here+": "+path, fmt.Errorf("already set in line %d", line))
		return
	}
	t.seen[path] = key.Line

	if f, ok := t.byPath[path]; ok {
		t.record(f, here, setNode(f, target(value)))
		return
	}
	if t.groups[path] {
		t.group(path+".", value, here+": "+path)
		return
	}
	t.fail(here+": "+path, errors.New("unknown key"+suggest(path, t.names())))
}

// names returns the paths a file may hold.
func (t tree) names() []string {
	names := slices.Sorted(maps.Keys(t.groups))
	for _, f := range t.fields {
		names = append(names, f.path)
	}
	return names
}

func setNode(f field, n *yaml.Node) error {
	if isNull(n) {
		return errors.New(`has no value (write "" for empty, or remove the line for the default)`)
	}
	if m, ok := f.ptr.(*map[string]string); ok {
		return setMap(m, n)
	}
	if m, ok := f.ptr.(*map[string][]string); ok {
		return setLists(m, n)
	}
	list, isList := f.ptr.(*[]string)
	switch {
	case isList && n.Kind != yaml.SequenceNode:
		return errors.New("want a list such as [a, b], not " + kindName(n))
	case isList:
		entries, err := entriesOf(n)
		if err == nil {
			*list = entries
		}
		return err
	case n.Kind != yaml.ScalarNode:
		return errors.New("want one value, not " + kindName(n))
	default:
		return f.set(n.Value)
	}
}

func setMap(m *map[string]string, n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return errors.New("want names and values, not " + kindName(n))
	}
	*m = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], target(n.Content[i+1])
		if name.Kind != yaml.ScalarNode {
			return errors.New("want a name, not " + kindName(name))
		}
		if value.Kind != yaml.ScalarNode || isNull(value) {
			return fmt.Errorf("%s: want one value, not %s", name.Value, kindName(value))
		}
		if _, ok := (*m)[name.Value]; ok {
			return fmt.Errorf("%s: is there twice (line %d)", name.Value, name.Line)
		}
		if *m == nil {
			*m = make(map[string]string)
		}
		(*m)[name.Value] = value.Value
	}
	return nil
}

// setLists takes one value for a list of one.
func setLists(m *map[string][]string, n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return errors.New("want names and lists, not " + kindName(n))
	}
	*m = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], target(n.Content[i+1])
		if name.Kind != yaml.ScalarNode {
			return errors.New("want a name, not " + kindName(name))
		}
		entries, err := []string{value.Value}, error(nil)
		switch {
		case value.Kind == yaml.SequenceNode:
			entries, err = entriesOf(value)
		case value.Kind != yaml.ScalarNode || isNull(value):
			err = errors.New("want a list, not " + kindName(value))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name.Value, err)
		}
		if _, ok := (*m)[name.Value]; ok {
			return fmt.Errorf("%s: is there twice (line %d)", name.Value, name.Line)
		}
		if *m == nil {
			*m = make(map[string][]string)
		}
		(*m)[name.Value] = entries
	}
	return nil
}

// entriesOf are the values of a list.
func entriesOf(n *yaml.Node) (entries []string, err error) {
	for i, entry := range n.Content {
		entry = target(entry)
		if entry.Kind != yaml.ScalarNode || isNull(entry) {
			return nil, fmt.Errorf("entry %d is not a value, but %s", i+1, kindName(entry))
		}
		entries = append(entries, entry.Value)
	}
	return entries, nil
}

// target follows an alias (*name) to the node it stands for.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case isNull(n):
		return "nothing"
	case strings.Contains(n.Value, "://"):
		return "a URL" // it may hold a secret
	default:
		return fmt.Sprintf("%q", n.Value)
	}
}
