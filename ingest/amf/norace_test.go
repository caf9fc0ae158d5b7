//go:build !race

package amf

import "time"

// longestDecoding is how long a message may be looked at before it is refused.
const longestDecoding = time.Millisecond
