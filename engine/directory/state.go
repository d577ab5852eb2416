package directory

import (
	"context"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

// A State is where a directory stands, for those who operate it.
type State struct {
	// Oldest and Latest are the revisions that can be read.
	Oldest, Latest uint64
	// Tables, Logs and Free are the bytes of the store on its disk, and those that are
	// left there; Free is negative where that is not known.
	Tables, Logs, Free int64
	// LastChanges are the revisions in which the tenants were changed last, 0 for
	// never. A tenant's that is damaged is not among them.
	LastChanges map[string]uint64
	// Housekeeping is what was done about what need not be kept, since the directory
	// was opened.
	Housekeeping store.Housekeeping
	// BackedUp is the last backup that was made.
	BackedUp store.BackedUp
	// ChangeRecords is what is kept of who changed what.
	ChangeRecords store.ChangeRecords
	// Unverified is how many tables of the store reads are not verified in, for want of
	// files that could be opened.
	Unverified int
	// Refused is why writes are refused, and Damage what was found to be damaged; nil
	// where all is well.
	Refused, Damage error
}

// Refused is why writes are refused at the moment; nil where they are taken.
func (d *Directory) Refused() error { return d.store.Refused() }

// Damage is the first damage that was found since the directory was opened; nil where
// none was. What is read of a damaged record is an error, and what a decision does not
// find may have been there: the directory has to be restored from a backup.
func (d *Directory) Damage() error { return d.store.Damage() }

// Unverified is how many tables of the store reads are not verified in, for want of files
// that could be opened.
func (d *Directory) Unverified() int { return d.store.Unverified() }

// State is where the directory stands. An error is of kind Unavailable when it is
// closed.
func (d *Directory) State(ctx context.Context) (State, error) {
	state := State{LastChanges: make(map[string]uint64, len(d.tenants))}
	for _, tenant := range d.tenants {
		if err := ctx.Err(); err != nil {
			return State{}, err
		}
		switch revision, err := d.lastChange(tenant); {
		case err == nil:
			state.LastChanges[tenant] = revision
		case d.store.Damage() == nil: // else that is to be told
			return State{}, err
		}
	}
	// A view keeps the store open while it is looked at.
	view, err := d.store.Latest(authz.DefaultTenant)
	if err != nil {
		return State{}, err
	}
	defer view.Close()
	sizes := d.store.Sizes()
	state.Tables, state.Logs, state.Free = sizes.Tables, sizes.Logs, sizes.Free
	state.Oldest, state.Latest = d.store.Revisions()
	state.Housekeeping, state.BackedUp = d.store.Housekeeping(), d.store.BackedUp()
	state.ChangeRecords = d.store.ChangeRecords()
	state.Unverified = d.store.Unverified()
	state.Refused, state.Damage = d.store.Refused(), d.store.Damage()
	return state, nil
}

func (d *Directory) lastChange(tenant string) (uint64, error) {
	view, err := d.store.Latest(tenant)
	if err != nil {
		return 0, err
	}
	defer view.Close()
	return view.Head()
}
