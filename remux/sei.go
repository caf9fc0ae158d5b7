package remux

import (
	"bytes"
	"iter"
)

// Supplemental enhancement information (H.264, section 7.3.2.3.1 and annex D).
const (
	seiRegistered    = 4 // user data that ITU-T T.35 has a number for
	seiUnregistered  = 5
	seiRecoveryPoint = 6
)

// longestSEI is how long a message may be to be looked at: those that matter here
// are short.
const longestSEI = 4 << 10

// noteSEI takes what the messages of a NAL unit say of an access unit.
func (au *accessUnit) noteSEI(nal []byte) {
	for kind, payload := range seiMessages(nal, 1) {
		switch kind {
		case seiRegistered:
			au.captions |= captions(payload)
		case seiRecoveryPoint:
			r := bitReader{b: payload}
			if n := r.ue(); !r.past() && n < 1<<16 {
				au.recovery = int(n)
			}
		}
	}
}

// seiMessages yields types and payloads of the messages in a NAL unit, behind its
// header of so many bytes. Their sizes count what is unescaped.
func seiMessages(nal []byte, header int) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		if len(nal) > longestSEI {
			return
		}
		b := nal[header:]
		if bytes.Contains(b, []byte{0, 0, 3}) {
			b = unescape(b)
		}
		for len(b) > 2 { // less is the stop bit
			kind, size := 0, 0
			if kind, b = seiNumber(b); b == nil {
				return
			}
			if size, b = seiNumber(b); b == nil || size > len(b) {
				return
			}
			if !yield(kind, b[:size:size]) {
				return
			}
			b = b[size:]
		}
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

// Captions are channels of CEA-608 captions, a bit each.
type Captions uint8

// The channels that encoders use: the first of each field.
const (
	CC1 Captions = 1 << iota
	CC3
)

// Channels are the names of those that are there.
func (c Captions) Channels() (names []string) {
	for i, name := range []string{"CC1", "CC3"} {
		if c>>i&1 == 1 {
			names = append(names, name)
		}
	}
	return names
}

// captions reads cc_data (ANSI/CTA-708, section 4.3; ATSC A/53 part 4, section
// 6.2.3). The first field counts where it has anything: encoders fill it long
// before somebody speaks.
func captions(b []byte) (c Captions) {
	const (
		head  = "\xB5\x00\x31GA94\x03" // country, provider, what it is
		empty = 0x80                   // with its parity bit
	)
	if len(b) < len(head)+2 || string(b[:len(head)]) != head {
		return 0
	}
	flags := b[len(head)]
	b = b[len(head)+2:]
	if flags&0x40 == 0 { // process_cc_data_flag
		return 0
	}
	for n := flags & 0x1F; n > 0 && len(b) >= 3; n, b = n-1, b[3:] {
		valid, field := b[0]&4 != 0, b[0]&3
		switch {
		case !valid:
		case field == 0:
			c |= CC1
		case field == 1 && (b[1]|empty != empty || b[2]|empty != empty):
			c |= CC3
		}
	}
	return c
}
