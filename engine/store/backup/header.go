package backup

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// format is the form that this package writes, and the only one that it reads.
const format = 1

// magic begins every backup, of whatever format.
const magic = "verdict backup\n"

// A Header says what a backup holds.
type Header struct {
	// Format is the form of the backup itself; NewWriter sets it.
	Format int `json:"format"`
	// StoreFormat is the layout of the keys and values at revision To; 0 where there
	// are none.
	StoreFormat uint64 `json:"store_format"`
	// From is the revision that the backup goes on from; 0 for a full one, which
	// needs none. To is the last revision that it holds.
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	// Floor is the oldest revision that can be read once all is restored.
	Floor uint64 `json:"floor"`
	// Base and Tip tell the revisions From and To from those of the same number in
	// another store. Base is empty in a full backup.
	Base string `json:"base,omitempty"`
	Tip  string `json:"tip"`
	// Time is when revision To was written.
	Time time.Time `json:"time"`
	// Tenants are those that the store holds at revision To, by name.
	Tenants []string `json:"tenants"`
}

// Full reports whether the backup needs no other.
func (h Header) Full() bool { return h.From == 0 }

// validate refuses what no writer writes.
func (h Header) validate() error {
	switch {
	case h.Format != format:
		return authz.Errorf(authz.FailedPrecondition, "the backup has format %d, and this program reads format %d: restore it with the program that made it", h.Format, format)
	case h.From > h.To || h.Floor > h.To || !h.Full() && h.Floor > h.From:
		return damaged("its header has revisions %d to %d with floor %d", h.From, h.To, h.Floor)
	}
	return nil
}

// A Trailer says how much a backup holds.
type Trailer struct {
	// Frames and Versions are how many there were before the trailer.
	Frames   uint64 `json:"frames"`
	Versions uint64 `json:"versions"`
	// Bytes is how long the backup was up to the trailer.
	Bytes uint64 `json:"bytes"`
}

// decodeStrict reads a value that has no member which is not known, and nothing
// behind it.
func decodeStrict(payload []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.InputOffset() != int64(len(payload)) {
		return errTrailing
	}
	return nil
}
