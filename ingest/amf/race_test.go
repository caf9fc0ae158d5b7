//go:build race

package amf

import "time"

// longestDecoding is more under the race detector, which slows all down.
const longestDecoding = 20 * time.Millisecond
