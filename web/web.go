// Package web is the pages a person looks at, embedded: the player page of a
// stream, the landing page, and what they load from under /_/.
package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"html"
	"io/fs"
	"strings"
	"sync"
)

// Prefix is where Assets must be served, from the front page on. The pages refer
// to it, as to all else, by relative links: a proxy's path may be in front.
const Prefix = "/_/"

// ContentSecurityPolicy is the strictest policy that the pages and the player
// libraries work under; a response that carries Player or Landing should send it.
//
// blob: is for Media Source Extensions (media-src) and the workers that hls.js
// starts from its own text (worker-src).
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; base-uri 'none'; form-action 'self'"

var (
	//go:embed player.html
	playerHTML []byte

	//go:embed landing.html
	landingHTML []byte

	// dist holds only its README until `make web` has run.
	//
	//go:embed ui dist
	assets embed.FS
)

// A library is somebody else's player that `make web` puts into dist.
type library struct {
	name string // as a person calls it
	file string // in Assets
}

// libraries are those that the player page offers, in the order it offers them.
var libraries = []library{
	{name: "hls.js", file: "dist/hls.min.js"},
	{name: "dash.js", file: "dist/dash.all.min.js"},
}

// missingMark is where the player page is told which libraries it must do without.
const missingMark = `<meta name="sluice-missing" content="">`

var player = sync.OnceValue(func() []byte {
	told := strings.Replace(missingMark, `""`, `"`+strings.Join(Missing(), " ")+`"`, 1)
	return bytes.Replace(playerHTML, []byte(missingMark), []byte(told), 1)
})

// viewerMark is where the player page is told who looks at it.
const viewerMark = `<meta name="sluice-viewer" content="">`

// PlayerFor returns the player page with the viewer's id moving over the
// picture, as a watermark.
func PlayerFor(viewer string) []byte {
	told := strings.Replace(viewerMark, `""`, `"`+html.EscapeString(viewer)+`"`, 1)
	return bytes.Replace(player(), []byte(viewerMark), []byte(told), 1)
}

// Player returns the player page. It is the same for every stream: the page
// reads the stream's name from its own address. The bytes must not be modified.
func Player() []byte { return player() }

// BelowPass returns a page for an address that is two folders deeper than it
// thinks, as those with a viewer's pass are: what it links to is not below that.
func BelowPass(page []byte) []byte {
	return bytes.ReplaceAll(page, []byte(`="../../`), []byte(`="../../../../`))
}

// Publishing is what the front page tells of how to publish. The zero Publishing
// has no port.
type Publishing struct {
	RTMP  int    `json:"rtmp,omitempty"`  // port; 0: none
	RTMPS int    `json:"rtmps,omitempty"` // the same, with TLS
	Needs []Need `json:"needs,omitempty"` // any one of them lets an encoder in; none: the network does
}

// Need is something that an encoder may have to show.
type Need string

// The needs.
const (
	StreamKey Need = "key"
	Login     Need = "login"
	Token     Need = "token"
	Webhook   Need = "webhook" // it may want anything
)

// publishingMark is where the front page is told.
const publishingMark = `<meta name="sluice-publishing" content="{&#34;rtmp&#34;:1935}">`

// Landing returns the front page of a server of which nothing is known: with
// RTMP's usual port. The bytes must not be modified.
func Landing() []byte { return landingHTML }

// LandingFor returns the front page, which says how to publish and where to
// watch.
func LandingFor(p Publishing) []byte {
	told, _ := json.Marshal(p) // numbers and words of ours: it can't fail
	mark := `<meta name="sluice-publishing" content="` + html.EscapeString(string(told)) + `">`
	return bytes.Replace(landingHTML, []byte(publishingMark), []byte(mark), 1)
}

// Assets returns everything that the pages load: style sheets, scripts, the icon
// and the player libraries that are built in.
func Assets() fs.FS { return assets }

// Missing returns the names of the player libraries that are not built in. The
// player page works without them, as far as the browser plays HLS by itself.
func Missing() []string { return missing(assets) }

func missing(from fs.FS) []string {
	var names []string
	for _, l := range libraries {
		if info, err := fs.Stat(from, l.file); err != nil || info.Size() == 0 {
			names = append(names, l.name)
		}
	}
	return names
}
