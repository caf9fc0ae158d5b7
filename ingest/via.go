package ingest

import (
	"strings"

	"github.com/sluice-live/sluice/ingest/amf"
)

// viaProperty is where relays tell which servers a stream has come by: in connect, and in
// the answer to play. Nobody else says it, and nobody else is told.
const viaProperty = "sluiceVia"

// mostVia bounds how many of them are told, and longestVia their names together.
const (
	mostVia    = 64
	longestVia = 1 << 10
)

// viaOf reads it in the object of a connect command.
func viaOf(connect amf.Object) []string {
	text := connect.String(viaProperty)
	if text == "" || len(text) > longestVia {
		return nil
	}
	all := strings.Split(text, ",")
	return all[:min(len(all), mostVia)]
}

// tellVia adds it to the information on a play, if both sides know of it.
func tellVia(information amf.Object, asked []string, s Source) amf.Object {
	r, ok := s.(Relayed)
	if !ok || len(asked) == 0 {
		return information
	}
	return append(information, amf.Property{Name: viaProperty, Value: strings.Join(r.Via(), ",")})
}
