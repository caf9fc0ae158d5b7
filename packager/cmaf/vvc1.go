package cmaf

import (
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/remux"
)

// vvc1 has the encoder's record as it is, behind a version and flags (ISO/IEC 14496-15,
// section 11.3.2).
func vvc1(c *remux.H266, p *remux.Picture, rate *mp4.BtrtBox) mp4.Box {
	body := append(make([]byte, 4), c.Record...)
	return visual("vvc1", p, rate, mp4.CreateUnknownBox("vvcC", uint64(8+len(body)), body))
}
