package packager

// State is where a stream is in its life:
//
//	Live ──encoder lost──▶ Waiting ──Grace──▶ Ended ──Linger──▶ forgotten
//	 ▲ ◀──comes back──────────┘                 │
//	 └──────────────another publication─────────┘
type State uint8

// The states of a stream.
const (
	Live    State = iota // it has a publisher: more is to come
	Waiting              // the publisher was lost and may come back: nothing is in production
	Ended                // nothing will follow
)

// States are all of them.
var States = [...]State{Live, Waiting, Ended}

func (s State) String() string { return [...]string{"live", "waiting", "ended"}[s] }
