package web

import (
	"bytes"
	"encoding/json"
	"html"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// texts returns what we wrote ourselves: the pages, and everything in ui.
func texts(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{"player.html": string(Player(Visit{})), "landing.html": string(Landing()), "dashboard.html": string(Dashboard()), "refused.html": string(Refused("no", "why"))}
	err := fs.WalkDir(Assets(), "ui", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(Assets(), name)
		out[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// at is where pages are, from the front page on.
var at = map[string]string{"landing.html": "/", "dashboard.html": "/", "player.html": "/live/cam1/", "refused.html": "/live/cam1/"}

// Nothing refers to the root of a host: a proxy may have us below a path, and a
// viewer's pass may be in front.
func TestLinksAreRelative(t *testing.T) {
	absolute := regexp.MustCompile("(?:href|src|action)=\"/|['\"`]/(?:[_a-z$][^'\"`\\n]*)?['\"`]|url\\(/")
	for name, text := range texts(t) {
		for _, found := range absolute.FindAllString(text, -1) {
			if found != "'/'" { // to part a path at
				t.Errorf("%s refers to the root: %s", name, found)
			}
		}
	}
	below := string(BelowPass(Player(Visit{})))
	if n := strings.Count(below, `="../../../../`); n != strings.Count(string(Player(Visit{})), `="../../`) || n < 4 {
		t.Errorf("%d links lead out of a pass", n)
	}
}

// The front page says where encoders come in and what they need.
func TestLanding(t *testing.T) {
	if n := bytes.Count(landingHTML, []byte(publishingMark)); n != 1 {
		t.Fatalf("landing.html has the mark %s %d times, want once", publishingMark, n)
	}
	for _, p := range []Publishing{{}, {RTMP: 1935}, {RTMP: 19350, RTMPS: 4430, Needs: []Need{StreamKey, Login, Token, Webhook}}} {
		page := LandingFor(p)
		m := regexp.MustCompile(`<meta name="sluice-publishing" content="([^"]*)">`).FindSubmatch(page)
		if m == nil {
			t.Fatalf("%v: told nothing", p)
		}
		var got Publishing
		if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &got); err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%v is told as %s, %v", p, m[1], err)
		}
	}
	script := texts(t)["ui/landing.js"]
	for _, need := range []Need{StreamKey, Login, Token, Webhook} {
		if !strings.Contains(script, "  "+string(need)+": [") {
			t.Errorf("the front page has no words for %s", need)
		}
	}
}

func TestPagesAreWhole(t *testing.T) {
	for name, page := range map[string][]byte{"player": Player(Visit{}), "embedded": Player(Visit{Embedded: true}), "landing": Landing(), "dashboard": Dashboard(), "refused": Refused("no", "why")} {
		if !bytes.HasPrefix(page, []byte("<!doctype html>")) || !bytes.HasSuffix(bytes.TrimSpace(page), []byte("</html>")) {
			t.Errorf("%s: not a whole document", name)
		}
	}
}

func TestMissing(t *testing.T) {
	hls := &fstest.MapFile{Data: []byte("hls")}
	dash := &fstest.MapFile{Data: []byte("dash")}
	for _, c := range []struct {
		name string
		in   fstest.MapFS
		want []string
	}{
		{"a fresh clone", fstest.MapFS{"dist/README": {Data: []byte("text")}}, []string{"hls.js", "dash.js"}},
		{"one of two", fstest.MapFS{"dist/hls.min.js": hls}, []string{"dash.js"}},
		{"an empty file", fstest.MapFS{"dist/hls.min.js": hls, "dist/dash.all.min.js": {}}, []string{"dash.js"}},
		{"built", fstest.MapFS{"dist/hls.min.js": hls, "dist/dash.all.min.js": dash}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := missing(c.in); !slices.Equal(got, c.want) {
				t.Errorf("missing = %q, want %q", got, c.want)
			}
		})
	}
}

func TestPlayerPageIsToldWhatIsMissing(t *testing.T) {
	if n := bytes.Count(playerHTML, []byte(missingMark)); n != 1 {
		t.Fatalf("player.html has the mark %s %d times, want once", missingMark, n)
	}
	want := `<meta name="sluice-missing" content="` + strings.Join(Missing(), " ") + `">`
	if !bytes.Contains(Player(Visit{}), []byte(want)) {
		t.Errorf("the player page lacks %s", want)
	}
}

// What a viewer is called is text, whatever he is called.
func TestPlayerPageIsToldWhoWatches(t *testing.T) {
	if n := bytes.Count(playerHTML, []byte(viewerMark)); n != 1 {
		t.Fatalf("player.html has the mark %s %d times, want once", viewerMark, n)
	}
	got := Player(Visit{Viewer: `"><script>x</script>$1&`})
	want := `<meta name="sluice-viewer" content="&#34;&gt;&lt;script&gt;x&lt;/script&gt;$1&amp;">`
	if !bytes.Contains(got, []byte(want)) || bytes.Contains(got, []byte("<script>x")) {
		t.Errorf("the player page lacks %s", want)
	}
	if bytes.Contains(Player(Visit{}), []byte("&gt;")) {
		t.Error("the next viewer is shown it, too")
	}
}

// The player page is told where encoders come in, and whether it is in a frame.
func TestVisit(t *testing.T) {
	for _, mark := range []string{publishingMark, embedMark} {
		if n := bytes.Count(playerHTML, []byte(mark)); n != 1 {
			t.Fatalf("player.html has the mark %s %d times, want once", mark, n)
		}
	}
	page := string(Player(Visit{Publishing: Publishing{RTMP: 19350}, Embedded: true}))
	for _, want := range []string{`content="{&#34;rtmp&#34;:19350}"`, `<html lang="en" class="embed">`} {
		if !strings.Contains(page, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	if page := string(Player(Visit{})); strings.Contains(page, `class="embed"`) || !strings.Contains(page, `<meta name="sluice-publishing" content="{}">`) {
		t.Error("a page that isn't in a frame, of a server that takes no streams, is told otherwise")
	}
}

// A reason is text, whatever is in it.
func TestRefused(t *testing.T) {
	for _, mark := range []string{refusedTitle, refusedReason} {
		if n := bytes.Count(refusedHTML, []byte(mark)); n != 1 {
			t.Fatalf("refused.html has the mark %s %d times, want once", mark, n)
		}
	}
	page := string(Refused("<i>no</i>", `<script>"why"</script>`))
	if strings.Contains(page, "<script>") || !strings.Contains(page, "<h1>&lt;i&gt;no&lt;/i&gt;</h1>") || !strings.Contains(page, "&lt;script&gt;") {
		t.Errorf("%s", page)
	}
}

// Frames are forbidden, but for the embedded player, where they are those that may show streams.
func TestFramePolicies(t *testing.T) {
	for policy, want := range map[string]string{
		ContentSecurityPolicy: policy + "; frame-ancestors 'none'",
		EmbedPolicy(nil):      policy + "; frame-ancestors *",
		EmbedPolicy([]string{"example.com", "*.example.org"}): policy + "; frame-ancestors 'self' example.com:* *.example.org:*",
	} {
		if policy != want {
			t.Errorf("%s, want %s", policy, want)
		}
	}
}

// A viewer's browser talks to this server and to nobody else.
func TestNoOtherHosts(t *testing.T) {
	host := regexp.MustCompile(`(?:\bhttps?:|\bwss?:|["'(\s])//[\w.-]+`)
	for name, text := range texts(t) {
		for _, found := range host.FindAllString(text, -1) {
			if found != "http://www.w3.org" { // the name of SVG, which nobody fetches
				t.Errorf("%s refers to another host: %s", name, found)
			}
		}
	}
}

// ContentSecurityPolicy allows neither scripts nor styles inside a page.
func TestNothingInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|<script>|<script type="module">|\sstyle=|\son\w+="|javascript:`)
	for name, text := range texts(t) {
		if !strings.HasSuffix(name, ".html") {
			continue
		}
		for _, found := range inline.FindAllString(text, -1) {
			t.Errorf("%s has something inline: %q", name, found)
		}
	}
}

// Everything that the pages, scripts and style sheets load is there, or is a
// library that Missing would name.
func TestReferencesExist(t *testing.T) {
	linked := regexp.MustCompile(`="((?:\.\./\.\./)?_/[^"]+)"`)
	relative := regexp.MustCompile(`(?:from|import\(?)\s*'(\./[^']+)'|new URL\('(\.\./[^']+)', import\.meta\.url\)`)
	symbol := regexp.MustCompile(`href="#(i-\w+)"|icon\(\$\('\w+'\), (?:[\w.]+ \? )?'(\w+)'(?: : '(\w+)')?`)

	seen := map[string]bool{}
	for name, text := range texts(t) {
		var wanted []string
		for _, m := range linked.FindAllStringSubmatch(text, -1) {
			// Each page is where it is served: see at.
			found := path.Join(at[name], m[1])
			if !strings.HasPrefix(found, Prefix) {
				t.Errorf("%s refers to %s, which is not below %s", name, m[1], Prefix)
			}
			wanted = append(wanted, strings.TrimPrefix(found, Prefix))
		}
		for _, m := range relative.FindAllStringSubmatch(text, -1) {
			wanted = append(wanted, path.Join(path.Dir(name), m[1]+m[2]))
		}
		for _, want := range wanted {
			seen[want] = true
			known := slices.ContainsFunc(libraries, func(l library) bool { return l.file == want }) || slices.Contains(charts, want)
			if _, err := fs.Stat(Assets(), want); err != nil && !known {
				t.Errorf("%s refers to %s, which does not exist", name, want)
			}
		}
		for _, m := range symbol.FindAllStringSubmatch(text, -1) {
			for _, id := range m[1:] {
				if id = strings.TrimPrefix(id, "i-"); id != "" && !bytes.Contains(Player(Visit{}), []byte(`<symbol id="i-`+id+`"`)) {
					t.Errorf("%s uses the symbol i-%s, which the player page lacks", name, id)
				}
			}
		}
	}

	for _, l := range libraries {
		if !seen[l.file] {
			t.Errorf("no script loads %s (%s)", l.file, l.name)
		}
	}
	for _, file := range charts {
		if !seen[file] {
			t.Errorf("no script loads %s", file)
		}
	}
	for name := range texts(t) {
		if strings.HasPrefix(name, "ui/") && !seen[name] {
			t.Errorf("nothing loads %s", name)
		}
	}
}

// An element that a script asks for by its id exists in the page of that script.
func TestElementsExist(t *testing.T) {
	asked := regexp.MustCompile(`(?:\$|put|showAddress|showCommand)\('([\w-]+)'`)
	all := texts(t)
	for name, text := range all {
		if !strings.HasSuffix(name, ".js") {
			continue
		}
		page := all["player.html"]
		switch {
		case name == "ui/landing.js":
			page = all["landing.html"]
		case strings.HasPrefix(name, "ui/dashboard/"):
			page = all["dashboard.html"]
		}
		for _, m := range asked.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(page, `id="`+m[1]+`"`) {
				t.Errorf("%s asks for the element %q, which its page lacks", name, m[1])
			}
		}
	}
}
