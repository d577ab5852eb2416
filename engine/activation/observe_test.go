package activation_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/engine/activation"
)

func TestAnObserverIsToldHowActivationsEnd(t *testing.T) {
	dir := t.TempDir() + "/policies"
	var got []activation.Result
	set, _ := newSetWith(dir, func(o *activation.Options) {
		o.Observer = func(of string, result activation.Result, _ time.Duration) {
			if of != tenant {
				t.Errorf("told of tenant %s", of)
			}
			got = append(got, result)
		}
	})
	write(t, dir, sound("r1"))
	activate(t, set)
	activate(t, set)
	write(t, dir, map[string]string{"authz.rego": "package authz\n\nallow if )\n"})
	if set.Activate(t.Context(), tenant) == nil {
		t.Fatal("a broken bundle is active")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	write(t, dir, sound("r2"))
	if set.Activate(ended, tenant) == nil {
		t.Fatal("activated after the end of the context")
	}
	if diff := cmp.Diff([]activation.Result{activation.Activated, activation.Unchanged, activation.Failed}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
