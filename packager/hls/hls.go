// Package hls draws a Window as HLS playlists (RFC 8216bis).
package hls

import (
	"time"

	"github.com/sluice-live/sluice/packager"
)

// ContentType is the MIME type of playlists (section 4).
const ContentType = "application/vnd.apple.mpegurl"

// Age is how long a playlist may be cached that was asked for as it is: half a
// target duration, at least a second (appendix B.1).
func Age(w *packager.Window) time.Duration {
	return max(time.Second, target(w)/2).Truncate(time.Second)
}

// BlockedAge is how long a cache in front of us may keep a playlist that was
// asked for by the number of a segment or part. Appendix B.1 allows six target
// durations, as nobody asks for its URL again; but video.js does, for news, when
// a part completes its segment. A second is enough for all who waited for it.
const BlockedAge = time.Second

func target(w *packager.Window) time.Duration {
	return time.Duration(w.TargetDuration) * time.Second
}

// HoldBack is how far behind the end of the playlist a player should stay that
// reads whole segments (section 4.4.3.8).
func HoldBack(w *packager.Window) time.Duration { return 3 * target(w) }

// PartHoldBack is the same for a player that reads parts.
func PartHoldBack(w *packager.Window) time.Duration { return packager.NearLive(w.PartTarget) }

// SkipUntil is how much of the end of the playlist is never skipped in a delta
// update.
func SkipUntil(w *packager.Window) time.Duration { return 6 * target(w) }
