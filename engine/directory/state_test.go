package directory_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

func TestState(t *testing.T) {
	for _, tt := range []struct {
		name, dir string
		free      bool // whether it is known
	}{{"in memory", "", false}, {"on disk", t.TempDir(), true}} {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			var commits []time.Duration
			d, err := directory.Open(directory.Options{Dir: tt.dir, Tenants: []string{tenant, "other"}, Committed: func(took time.Duration, err error) {
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					commits = append(commits, took)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			write(t, d, `{"entity": {"type": "user", "id": "mina"}}`)
			write(t, d, `{"entity": {"type": "user", "id": "olga"}}`)
			state, err := d.State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if state.Latest != 2 || state.Oldest > 1 || state.LastChanges[tenant] != 2 || state.LastChanges["other"] != 0 || len(state.LastChanges) != 2 {
				t.Errorf("got %+v", state)
			}
			if known := state.Free >= 0; known != tt.free || state.Tables < 0 || state.Logs < 0 {
				t.Errorf("got %+v", state)
			}
			mu.Lock()
			if len(commits) != 2 || slices.Min(commits) <= 0 {
				t.Errorf("the commits took %v", commits)
			}
			mu.Unlock()
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := d.State(t.Context()); authz.KindOf(err) != authz.Unavailable {
				t.Errorf("of a closed directory: %v", err)
			}
		})
	}
}
