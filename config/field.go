package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A field is one setting: the file, the environment, the flags and the help all go by the same list
// of them, so none can know a setting the others don't.
type field struct {
	path  string // rtmp.addr
	group string // rtmp
	ptr   any    // *string, *bool, *int, *time.Duration, *Size, *[]string, *map[string]string or *map[string][]string
}

// fieldsOf lists the fields of the struct that ptr points to, in the order they are declared.
func fieldsOf(ptr any) []field {
	return walk("", reflect.ValueOf(ptr).Elem())
}

func walk(group string, fields reflect.Value) []field {
	var list []field
	for sf, v := range fields.Fields() {
		path := strings.TrimPrefix(group+"."+sf.Tag.Get("yaml"), ".")
		if v.Kind() == reflect.Struct {
			list = append(list, walk(path, v)...)
			continue
		}
		list = append(list, field{path: path, group: group, ptr: v.Addr().Interface()})
	}
	return list
}

// flagName turns rtmp.addr into -rtmp-addr.
func flagName(path string) string {
	return "-" + strings.NewReplacer(".", "-", "_", "-").Replace(path)
}

// envName turns rtmp.addr into SLUICE_RTMP_ADDR.
func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// set gives the field the value written as text; a list is separated by commas.
func (f field) set(text string) error {
	switch p := f.ptr.(type) {
	case *string:
		*p = text
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is not true or false", text)
		}
		*p = b
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*p = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 2s or 500ms", text)
		}
		*p = d
	case *Size:
		s, err := ParseSize(text)
		if err != nil {
			return err
		}
		*p = s
	case *[]string:
		*p = splitList(text)
	case *map[string]string:
		*p = nil
		for i, entry := range splitList(text) {
			name, value, ok := strings.Cut(entry, "=")
			if !ok || name == "" {
				return fmt.Errorf("entry %d is not NAME=VALUE: want a list such as a=x,b=y", i+1)
			}
			if *p == nil {
				*p = make(map[string]string)
			}
			(*p)[name] = value
		}
	case *map[string][]string:
		*p = nil
		for i, entry := range splitList(text) {
			name, value, ok := strings.Cut(entry, "=")
			if !ok || name == "" {
				return fmt.Errorf("entry %d is not NAME=VALUE: want a list such as a=x,a=y,b=z", i+1)
			}
			if *p == nil {
				*p = make(map[string][]string)
			}
			(*p)[name] = append((*p)[name], value)
		}
	default:
		panic(fmt.Sprintf("config: %s has a type that set does not know: %T", f.path, p))
	}
	return nil
}

func splitList(text string) (list []string) {
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			list = append(list, entry)
		}
	}
	return list
}

// String returns the field's value as set would take it.
func (f field) String() string {
	switch p := f.ptr.(type) {
	case *[]string:
		return strings.Join(*p, ",")
	case *map[string]string:
		var list []string
		for _, name := range slices.Sorted(maps.Keys(*p)) {
			list = append(list, name+"="+(*p)[name])
		}
		return strings.Join(list, ",")
	case *map[string][]string:
		var list []string
		for _, name := range slices.Sorted(maps.Keys(*p)) {
			for _, value := range (*p)[name] {
				list = append(list, name+"="+value)
			}
		}
		return strings.Join(list, ",")
	default:
		return fmt.Sprint(reflect.ValueOf(p).Elem())
	}
}
