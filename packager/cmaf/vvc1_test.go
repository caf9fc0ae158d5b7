package cmaf

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/sluice-live/sluice/remux"
)

// TestVVC1Header: mp4ff finds the encoder's record in the header of VVC.
func TestVVC1Header(t *testing.T) {
	sps := "007900ad0233800000800a0200b446a007374dba6469149bce13656304"
	record, err := hex.DecodeString("ff00655f010233800000050002d00000018f0001001d" + sps)
	if err != nil {
		t.Fatal(err)
	}
	_, e := entry(t, &remux.H266{Record: record, Picture: remux.Picture{Width: 1280, Height: 720}})
	r := e.VvcC
	if e.Type() != "vvc1" || r == nil || e.Width != 1280 || e.Height != 720 {
		t.Fatalf("%s: %+v", e.Type(), e)
	}
	var again bytes.Buffer
	if err := r.DecConfRec.Encode(&again); err != nil || !bytes.Equal(again.Bytes(), record) || r.Version != 0 || r.Flags != 0 {
		t.Errorf("%x, %v", again.Bytes(), err)
	}
}
