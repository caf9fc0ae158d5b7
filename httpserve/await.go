package httpserve

import (
	"net/http"
	"time"

	"github.com/sluice-live/sluice/packager"
)

// awaitStep is how often it is looked whether a stream has come that is fetched for a
// viewer.
const awaitStep = 50 * time.Millisecond

// await waits for a stream that is fetched for the one who asks: half of what a request
// may wait, since it waits behind that until the stream can be played.
func (s *Server) await(r *http.Request, name packager.StreamName) (*packager.Stream, error) {
	leave, err := s.beginWait(remote(r), name)
	if err != nil {
		return nil, err
	}
	defer leave()
	late := time.NewTimer(s.Hold / 2)
	defer late.Stop()
	tick := time.NewTicker(awaitStep)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if stream, ok := s.Catalog.Lookup(name); ok {
				return stream, nil
			}
		case <-late.C:
			return nil, errNoStream
		case <-r.Context().Done():
			return nil, errNoStream
		}
	}
}
