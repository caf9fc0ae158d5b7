package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sluice-live/sluice/"

// rooms is the import law: what each room may import of ours. It is the
// drawing in ARCHITECTURE.md, and water flows one way in it.
var rooms = map[string][]string{
	"config":                {"config/address", "packager"}, // packager's law says what a stream can be called
	"config/address":        {},
	"ingest":                {"config/address", "ingest/amf", "ingest/chunk", "ingest/flv", "ingest/handshake", "ingest/metrics", "ingest/rate", "ingest/rtmpe"},
	"ingest/access":         {"config/address", "ingest/outbound"},
	"ingest/amf":            {},
	"ingest/chunk":          {},
	"ingest/client":         {"ingest/amf", "ingest/chunk", "ingest/flv", "ingest/handshake", "ingest/rate"},
	"ingest/flv":            {},
	"ingest/gather":         {},
	"ingest/handshake":      {},
	"ingest/metrics":        {},
	"ingest/outbound":       {},
	"ingest/rate":           {},
	"ingest/rtmpe":          {"ingest/handshake"},
	"ingest/rtmpe/clients":  {},
	"ingest/rtmpt":          {"ingest/metrics"},
	"remux":                 {"ingest/amf", "ingest/flv"},
	"packager":              {"remux", "packager/cmaf"},
	"packager/cmaf":         {"remux"},
	"packager/dash":         {"remux", "packager"},
	"packager/hls":          {"remux", "packager"},
	"packager/tags":         {"ingest/amf", "ingest/flv", "remux", "packager", "packager/cmaf"},
	"packager/health":       {"remux", "packager"},
	"packager/packagertest": {"remux", "packager"},
	"httpserve":             {"config/address", "ingest/metrics", "remux", "packager", "packager/hls", "packager/dash", "web"},
	"httpserve/admin":       {"httpserve/access", "ingest/access", "ingest/metrics", "packager", "packager/cmaf", "packager/health", "remux", "web"},
	"httpserve/access":      {"config/address", "ingest/access"}, // tokens and webhook are the same for both sides
	"web":                   {},
	"cmd/sluice/readers":    {"httpserve/access", "httpserve/admin", "ingest", "ingest/flv", "ingest/metrics", "packager", "packager/tags"},
	"cmd/sluice/relay":      {"cmd/sluice/readers", "config/address", "httpserve/admin", "ingest", "ingest/chunk", "ingest/client", "ingest/flv", "ingest/metrics", "ingest/rate", "packager", "packager/tags", "remux"},
	"cmd/sluice": {"cmd/sluice/gate", "cmd/sluice/hooks", "cmd/sluice/memory", "cmd/sluice/ports", "cmd/sluice/probe", "cmd/sluice/readers", "cmd/sluice/relay", "cmd/sluice/systemd", "cmd/sluice/upgrade", "config", "config/address", "httpserve", "httpserve/access", "httpserve/admin",
		"ingest", "ingest/access", "ingest/chunk", "ingest/client", "ingest/flv", "ingest/metrics", "packager", "web"},
	"cmd/sluice/cert":    {"config", "ingest/metrics"},
	"cmd/sluice/door":    {"config/address", "ingest/metrics", "ingest/rate"},
	"cmd/sluice/gate":    {"cmd/sluice/memory", "config/address", "httpserve/admin", "ingest", "ingest/access", "ingest/flv", "ingest/metrics", "packager", "packager/health", "remux"},
	"cmd/sluice/hooks":   {"httpserve/admin", "ingest/metrics", "ingest/outbound"},
	"cmd/sluice/memory":  {"config", "ingest/metrics", "packager"},
	"cmd/sluice/ports":   {"cmd/sluice/cert", "cmd/sluice/door", "cmd/sluice/systemd", "config", "config/address", "ingest/gather", "ingest/metrics", "ingest/rtmpt"},
	"cmd/sluice/systemd": {},
	"cmd/sluice/upgrade": {},
	"cmd/sluice/probe":   {"packager/health", "remux"},                 // otherwise it sees servers from outside
	"e2e":                {"e2e/lists", "ingest/flv", "ingest/client"}, // otherwise it sees the program from outside
	"e2e/lists":          {},                                           // shares nothing with what writes what it reads
	"e2e/soak":           {"e2e/lists", "ingest/flv", "ingest/client"},
	"e2e/bench":          {"e2e/lists", "ingest/flv", "ingest/client"},
	"e2e/wire":           {"ingest", "ingest/chunk", "ingest/flv"}, // it makes recordings, and judges nothing
}

// doors is who may import a third party: one room each, or two where a library
// is also what somebody else's output is read with.
var doors = map[string][]string{
	"github.com/bluenviron/mediacommon":   {"remux", "cmd/sluice/probe", "cmd/sluice"},
	"github.com/bluenviron/gohlslib":      {"cmd/sluice/probe", "cmd/sluice"},
	"github.com/Eyevinn/mp4ff":            {"packager/cmaf", "cmd/sluice/probe", "cmd/sluice", "e2e/soak"},
	"github.com/Eyevinn/dash-mpd":         {"packager/dash", "cmd/sluice/probe"},
	"github.com/go-chi/chi":               {"httpserve", "httpserve/admin"},
	"github.com/danielgtaylor/huma":       {"httpserve/admin"},
	"github.com/golang-jwt/jwt":           {"ingest/access"},
	"github.com/MicahParks/jwkset":        {"ingest/access"},
	"golang.org/x/crypto/acme":            {"cmd/sluice/cert"},
	"golang.org/x/sys":                    {"ingest/gather", "cmd/sluice/systemd"},
	"github.com/pires/go-proxyproto":      {"cmd/sluice/door"},
	"github.com/prometheus/client_golang": {"ingest/metrics"},
	"github.com/rs/zerolog":               {"ingest", "httpserve", "cmd/sluice", "cmd/sluice/cert", "cmd/sluice/gate", "cmd/sluice/hooks", "cmd/sluice/ports", "cmd/sluice/readers", "cmd/sluice/relay", "cmd/sluice/upgrade"},
	"github.com/quic-go/quic-go":          {"cmd/sluice/ports"},
	"go.yaml.in/yaml":                     {"config"},
}

func TestImportLaw(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		room := strings.TrimPrefix(fields[0], module)
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s is not in the drawing", room)
		}
		for _, path := range fields[1:] {
			if ours, ok := strings.CutPrefix(path, module); ok {
				if !slices.Contains(allowed, ours) {
					t.Errorf("%s imports %s: against the river", room, ours)
				}
			} else if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && !throughDoor(room, path) {
				t.Errorf("%s imports %s: not its door", room, path)
			}
		}
	}
}

func throughDoor(room, path string) bool {
	for library, through := range doors {
		if strings.HasPrefix(path, library) {
			return slices.Contains(through, room)
		}
	}
	return false
}
