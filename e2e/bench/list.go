//go:build linux

package main

import (
	"fmt"

	"github.com/sluice-live/sluice/e2e/lists"
)

// reload is the query that waits for the next part.
func reload(l *lists.Playlist) string {
	return fmt.Sprintf("?_HLS_msn=%d&_HLS_part=%d", l.Next(), len(l.Open.Parts))
}

// parseList reads a media playlist that can be played.
func parseList(text string) (*lists.Playlist, error) {
	l, err := lists.Parse(text)
	if err == nil && len(l.Segments) == 0 {
		err = fmt.Errorf("a playlist without segments: %.80q", text)
	}
	return l, err
}

// namesOf returns the segments that are listed.
func namesOf(l *lists.Playlist) (names []string) {
	for _, s := range l.Segments {
		names = append(names, s.URI)
	}
	return names
}

// parseManifest returns the URLs of the first track of the last period, as they are
// listed.
func parseManifest(text string) (urls []string, err error) {
	m, err := lists.ParseMPD("", []byte(text))
	if err != nil {
		return nil, err
	}
	t, err := m.Last(0)
	if err != nil {
		return nil, err
	}
	for _, s := range t.Segments {
		urls = append(urls, s.URI)
	}
	if len(urls) == 0 {
		err = fmt.Errorf("a manifest without segments: %.80q", text)
	}
	return urls, err
}
