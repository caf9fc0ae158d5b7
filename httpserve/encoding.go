package httpserve

import (
	"net/http"
	"strconv"
	"strings"
)

// wantsGzip tells whether an answer should be compressed: gzip is acceptable,
// and what is not compressed is not wanted more (RFC 9110, section 12.5.3).
func wantsGzip(h http.Header) bool {
	const unsaid = -1
	gzip, others, identity := float64(unsaid), 0.0, 0.0
	for element := range listed(h, "Accept-Encoding") {
		coding, parameter, _ := strings.Cut(element, ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip": // the same, section 8.4.1.3
			gzip = weight(parameter)
		case "*":
			others = weight(parameter)
		case "identity":
			identity = weight(parameter)
		}
	}
	if gzip == unsaid {
		gzip = others
	}
	return gzip > 0 && gzip >= identity
}

// weight reads what is behind a coding's semicolon. What can't be read is not
// wanted.
func weight(parameter string) float64 {
	parameter = strings.TrimSpace(parameter)
	if parameter == "" {
		return 1
	}
	name, value, _ := strings.Cut(parameter, "=")
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if !strings.EqualFold(strings.TrimSpace(name), "q") || err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// has tells whether a viewer has the answer of that tag already (RFC 9110,
// section 13.1.2).
func has(h http.Header, tag string) bool {
	for element := range listed(h, "If-None-Match") {
		if element == "*" || strings.TrimPrefix(element, "W/") == tag {
			return true
		}
	}
	return false
}

// listed yields the elements of a header that is a list, of all its lines. Our
// own tags have no commas in them.
func listed(h http.Header, name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, line := range h[name] {
			for element := range strings.SplitSeq(line, ",") {
				if element = strings.TrimSpace(element); element != "" && !yield(element) {
					return
				}
			}
		}
	}
}
