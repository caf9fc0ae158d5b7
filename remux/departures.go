package remux

// departures are where encoders were on the line that are gone. Most that come back
// count on from there: so it can be told where they lie, whatever their keyframes say.
type departures struct {
	at [8]departure // the newest
	n  int
}

type departure struct {
	timestamp uint32
	line      int64 // ns; 0 where there is none
}

func (d *departures) add(timestamp uint32, line int64) {
	d.at[d.n%len(d.at)] = departure{timestamp, line}
	d.n++
}

// goesOn tells how far an encoder is to be moved, ns, so that its timestamps mean what
// they did before it was gone, where that is near to where arrival says.
func (d *departures) goesOn(c *lane, arrives int64) (by int64, ok bool) {
	for _, o := range d.at {
		by = o.line + milliseconds(c.last-o.timestamp) - c.line()
		if o.line != 0 && near(by, arrives, int64(arrivalSlack)) {
			return by, true
		}
	}
	return 0, false
}
