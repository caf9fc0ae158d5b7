package packager

import "slices"

// draft is the open part of a rendition.
//
//	bytes │ headroom │ sample │ sample │ …
//	                  └ copied once, on arrival
//
// When the part closes, the moof is written into the end of the headroom, and
// all from there on is copied into memory of exactly that size: how large a part
// is shows only then, and nothing that a Window holds should be room that nobody
// needed. The draft's own memory serves the next part.
type draft struct {
	bytes []byte
	head  int  // bytes of headroom
	lent  bool // somebody has seen the bytes: they must stay
	most  int  // length of the longest part of late: fades by 1/32 with each
}

// open begins a part. expect is how many bytes it will probably have.
func (d *draft) open(headroom, expect int) {
	d.bytes, d.head = slices.Grow(d.bytes[:0], headroom+expect)[:headroom], headroom
}

// append copies a sample's bytes behind the others.
func (d *draft) append(b []byte) { d.bytes = append(d.bytes, b...) }

// payload is the number of sample bytes.
func (d *draft) payload() int { return len(d.bytes) - d.head }

// growing returns the bytes of an open part without headroom. They are never
// written again.
func (d *draft) growing() []byte {
	d.lent = true
	return d.bytes[:len(d.bytes):len(d.bytes)]
}

// close ends the part and returns it. write appends exactly size bytes of header
// to the slice that it is given.
func (d *draft) close(size int, write func(dst []byte) []byte) []byte {
	if size > d.head { // more samples than there was headroom for
		d.bytes = slices.Concat(make([]byte, size-d.head), d.bytes)
		d.head = size
	}
	begin := d.head - size
	write(d.bytes[begin:begin:d.head])
	whole := d.bytes[begin:]
	part := make([]byte, len(whole)) // cleared neither here, as it is whole's length, nor behind that, as append does
	copy(part, whole)
	d.most = max(len(d.bytes), d.most-d.most/32)
	if d.lent || cap(d.bytes) > 2*d.most { // a part so long was an exception
		d.bytes, d.lent = nil, false
	}
	return part
}
