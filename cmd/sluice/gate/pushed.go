package gate

import (
	"strings"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/packager"
)

// pushed is a name that encoders push, and what it is of a stream: live/cam1_720p is
// the quality _720p of live/cam1.
type pushed struct {
	name   packager.StreamName
	stream packager.StreamName
	from   packager.Contributor
}

// parse reads what access has admitted: APP/NAME.
func (g *Gate) parse(path string) (p pushed, err error) {
	if p.name, err = packager.ParseStreamName(access.SplitPath(path)); err != nil {
		return p, err
	}
	stream, label, place := g.Suffixes.Cut(path)
	p.from = packager.Contributor{Label: label, Name: strings.TrimLeft(label, "-_.~"), Order: place + 1} // the bare name is 0
	p.stream, err = packager.ParseStreamName(access.SplitPath(stream))
	return p, err
}

// shown is what the stream is called, empty where that isn't known.
func (p pushed) shown() string {
	if p.stream == (packager.StreamName{}) {
		return ""
	}
	return p.stream.String()
}

// tell lets a log name both.
func (p pushed) tell(log zerolog.Context) zerolog.Context {
	log = log.Stringer("stream", p.stream)
	if p.name != p.stream {
		log = log.Stringer("pushed", p.name)
	}
	return log
}
