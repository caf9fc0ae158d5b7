// Package web is the pages a person looks at, embedded: the player page of a
// stream, the landing page, the dashboard of operators, and what they load from under /_/.
package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"html"
	"io/fs"
	"strings"
)

// Prefix is where Assets must be served, from the front page on. The pages refer
// to it, as to all else, by relative links: a proxy's path may be in front.
const Prefix = "/_/"

// ContentSecurityPolicy is the strictest policy that the pages and the player
// libraries work under; a response that carries a page should send it. No other
// page may show one in a frame, but for the embedded player: see EmbedPolicy.
const ContentSecurityPolicy = policy + "; frame-ancestors 'none'"

// blob: is for Media Source Extensions (media-src) and the workers that hls.js
// starts from its own text (worker-src).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; base-uri 'none'; form-action 'self'"

// EmbedPolicy is ContentSecurityPolicy for the player that is made for a frame.
// Pages of these hosts may show it (example.com, *.example.com), and our own;
// without any, all may.
func EmbedPolicy(hosts []string) string {
	if len(hosts) == 0 {
		return policy + "; frame-ancestors *"
	}
	return policy + "; frame-ancestors 'self' " + strings.Join(hosts, ":* ") + ":*"
}

var (
	//go:embed player.html
	playerHTML []byte

	//go:embed landing.html
	landingHTML []byte

	//go:embed refused.html
	refusedHTML []byte

	//go:embed dashboard.html
	dashboardHTML []byte

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

// charts are what the dashboard draws with; without them it has numbers alone.
var charts = []string{"dist/uPlot.iife.min.js", "dist/uPlot.min.css"}

// missingMark is where the player page is told which libraries it must do without.
const missingMark = `<meta name="sluice-missing" content="">`

// viewerMark is where the player page is told who looks at it.
const viewerMark = `<meta name="sluice-viewer" content="">`

// embedMark is where the player page is told that it is in a frame.
const embedMark = `<html lang="en">`

// Visit is what the player page is told of who opens it.
type Visit struct {
	Viewer     string     // moves over the picture, as a watermark; "": nothing does
	Publishing Publishing // where an encoder comes in, for who waits for it
	Embedded   bool       // made for a frame: the picture and what lies on it alone
}

// Player returns the player page. It is the same for every stream: the page
// reads the stream's name from its own address.
func Player(v Visit) []byte {
	page := bytes.Replace(playerHTML, []byte(missingMark), mark("missing", strings.Join(Missing(), " ")), 1)
	page = bytes.Replace(page, []byte(viewerMark), mark("viewer", v.Viewer), 1)
	page = bytes.Replace(page, []byte(publishingMark), mark("publishing", v.Publishing.told()), 1)
	if v.Embedded {
		page = bytes.Replace(page, []byte(embedMark), []byte(`<html lang="en" class="embed">`), 1)
	}
	return page
}

// mark is an element that tells a page something.
func mark(name, told string) []byte {
	return []byte(`<meta name="sluice-` + name + `" content="` + html.EscapeString(told) + `">`)
}

// refusedMarks are where the page of a refusal is told of it.
const (
	refusedTitle  = `<h1></h1>`
	refusedReason = `<p class="reason"></p>`
)

// Refused returns the page for a browser that was refused a player page: what
// happened, in a few words, and the reason that the server has for it.
func Refused(title, reason string) []byte {
	page := bytes.Replace(refusedHTML, []byte(refusedTitle), []byte("<h1>"+html.EscapeString(title)+"</h1>"), 1)
	return bytes.Replace(page, []byte(refusedReason), []byte(`<p class="reason">`+html.EscapeString(reason)+"</p>"), 1)
}

// BelowPass returns a page for an address that is two folders deeper than it
// thinks, as those with a viewer's pass are: what it links to is not below that.
func BelowPass(page []byte) []byte {
	return bytes.ReplaceAll(page, []byte(`="../../`), []byte(`="../../../../`))
}

// Publishing is what the pages tell of how to publish. The zero Publishing
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

// told is what the pages' scripts read.
func (p Publishing) told() string {
	text, _ := json.Marshal(p) // numbers and words of ours: it can't fail
	return string(text)
}

// publishingMark is where a page is told.
const publishingMark = `<meta name="sluice-publishing" content="{&#34;rtmp&#34;:1935}">`

// Landing returns the front page of a server of which nothing is known: with
// RTMP's usual port. The bytes must not be modified.
func Landing() []byte { return landingHTML }

// LandingFor returns the front page, which says how to publish and where to
// watch.
func LandingFor(p Publishing) []byte {
	return bytes.Replace(landingHTML, []byte(publishingMark), mark("publishing", p.told()), 1)
}

// Dashboard returns the page of operators. The bytes must not be modified.
func Dashboard() []byte { return dashboardHTML }

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
