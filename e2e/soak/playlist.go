package main

import (
	"fmt"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// parsePlaylist reads a media playlist that can be played.
func parsePlaylist(text string) (*lists.Playlist, error) {
	p, err := lists.Parse(text)
	if err == nil && len(p.Segments) == 0 {
		err = fmt.Errorf("a playlist without segments")
	}
	return p, err
}

// newest returns the header and the URLs of the last segments of the n-th set of
// the last period.
func newest(m *lists.Manifest, n, most int) (header string, urls []string) {
	t, err := m.Last(n)
	if err != nil {
		return "", nil
	}
	for _, s := range t.Segments[max(0, len(t.Segments)-most):] {
		urls = append(urls, s.URI)
	}
	return t.Header, urls
}

// holdTime is the longest that the server lets anybody wait.
const holdTime = 7 * time.Second
