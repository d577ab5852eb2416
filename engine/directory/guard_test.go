package directory_test

import (
	"context"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// A guard has something to say of what service:guarded writes.
type guard struct {
	check func(*directory.Proposal) error
}

var guarded = authz.Author{Subject: authz.EntityRef{Type: "service", ID: "guarded"}}

func (g *guard) Asks(_ string, by authz.Author) bool { return by == guarded }

func (g *guard) Check(_ context.Context, proposal *directory.Proposal) error {
	return g.check(proposal)
}

// TestGuardIsAskedOfWhatIsWritten has another write come between a write that the guard
// was asked about and that write: it is asked again, and its second answer counts.
func TestGuardIsAskedOfWhatIsWritten(t *testing.T) {
	putting := func(by authz.Author, id string) authz.Batch {
		return authz.Batch{Author: by, Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: user(id)}}}}
	}
	for name, tt := range map[string]struct {
		between string // who is written meanwhile
		asked   int
		refused bool
	}{
		"nothing comes between":                  {"", 1, false},
		"what it has read comes between":         {"nils", 2, true},
		"what it has not read comes between":     {"kim", 2, false},
		"what is there already is written again": {"old", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := &guard{}
			d := newDirectory(t, directory.Options{Guard: g})
			put := func(by authz.Author, id string) error {
				_, err := d.Write(t.Context(), tenant, putting(by, id))
				return err
			}
			if err := put(authz.Author{}, "old"); err != nil {
				t.Fatal(err)
			}
			asked := 0
			g.check = func(proposal *directory.Proposal) error {
				if asked++; asked == 1 && tt.between != "" {
					if err := put(authz.Author{}, tt.between); err != nil {
						t.Error(err)
					}
				}
				if _, found, err := proposal.After().Entity(user("nils")); found || err != nil {
					return authz.Errorf(authz.FailedPrecondition, "mina and nils cannot both be: %v", err)
				}
				return nil
			}
			err := put(guarded, "mina")
			if asked != tt.asked || (err != nil) != tt.refused || err != nil && authz.KindOf(err) != authz.FailedPrecondition {
				t.Errorf("the guard was asked %d times, and the write ends with %v: want %d, and refused %t", asked, err, tt.asked, tt.refused)
			}
		})
	}
}
