package remux

// Supplemental enhancement information (H.264, section 7.3.2.3.1 and annex D).
const seiRecoveryPoint = 6

// longestSEI is how long a message may be to be looked at: those that matter here
// are short.
const longestSEI = 4 << 10

// noteSEI takes what the messages of a NAL unit say of an access unit.
func (au *accessUnit) noteSEI(nal []byte) {
	if len(nal) > longestSEI {
		return
	}
	b := nal[1:]
	for len(b) > 2 { // less is the stop bit
		kind, size := 0, 0
		if kind, b = seiNumber(b); b == nil {
			return
		}
		if size, b = seiNumber(b); b == nil || size > len(b) {
			return
		}
		if kind == seiRecoveryPoint {
			r := bitReader{b: unescape(b[:size])}
			if n := r.ue(); !r.past() && n < 1<<16 {
				au.recovery = int(n)
			}
		}
		b = b[size:]
	}
}

// seiNumber takes a type or a size: 255 for each byte of 0xFF, and the one behind
// them. rest is nil where there is none.
func seiNumber(b []byte) (n int, rest []byte) {
	for i, v := range b {
		if n += int(v); v != 0xFF {
			return n, b[i+1:]
		}
	}
	return 0, nil
}
