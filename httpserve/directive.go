package httpserve

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/hls"
)

// directive is what a player says in the query of a media playlist (RFC
// 8216bis, section 6.2.5).
type directive struct {
	blocks bool // wait for the segment …
	msn    packager.MSN
	part   int // … or for this part of it; −1 for the whole
	skip   bool
}

// maxPart is the largest part index that is taken for one. hls.js asks for the
// last part that a segment can have, so no tighter limit would do.
const maxPart = 10_000

// parseDirective reads the _HLS_ parameters of a query. Others are nobody's
// business. What is there and says nothing is no directive, either: who asks to
// wait must not be answered at once.
func parseDirective(query string) (directive, error) {
	d := directive{part: -1}
	q, err := url.ParseQuery(query)
	if err != nil && strings.Contains(query, "_HLS_") {
		return d, errDirective // it may be the one that can't be read
	}
	switch q.Get("_HLS_skip") {
	case "YES", "v2":
		d.skip = true
	}
	if !q.Has("_HLS_msn") {
		if q.Has("_HLS_part") {
			return d, errDirective
		}
		return d, nil
	}
	n, err := strconv.ParseUint(q.Get("_HLS_msn"), 10, 63)
	if err != nil {
		return d, errDirective
	}
	d.blocks, d.msn = true, packager.MSN(n)
	if q.Has("_HLS_part") {
		p, err := strconv.ParseUint(q.Get("_HLS_part"), 10, 31)
		if err != nil || p > maxPart {
			return d, errDirective
		}
		d.part = int(p)
	}
	return d, nil
}

// legal tells whether a player that has seen the newest playlist may ask for
// it: the segment in production and the one behind it. A player that uses no
// parts asks for a part index far ahead, which is legal too.
func (d directive) legal(r *packager.Rendition) bool {
	return d.msn <= r.Open+1
}

// reached tells whether the rendition has got that far. A segment whose parts
// players aren't told of comes as a whole.
func (d directive) reached(w *packager.Window, r *packager.Rendition) bool {
	if d.msn != r.Open || d.part < 0 {
		return d.msn < r.Open && !d.beyond(w, r)
	}
	return len(hls.Parts(w, r.Header, r.Parts)) > d.part
}

// beyond tells whether d asks for more parts than the segment before the open
// one has: that means the first part of the open one, where one is in production.
func (d directive) beyond(w *packager.Window, r *packager.Rendition) bool {
	n := len(r.Segments)
	if d.part < 0 || d.msn != r.Open-1 || n == 0 || w.State == packager.Waiting {
		return false
	}
	had := len(hls.Parts(w, r.Segments[n-1].Header, r.Segments[n-1].Parts))
	return had > 0 && d.part >= had && len(r.Parts) == 0
}
