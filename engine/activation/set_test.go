package activation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/activation"
)

func TestActivateMakesTheBundleActive(t *testing.T) {
	dir := t.TempDir() + "/policies"
	write(t, dir, sound("r1"))
	set, logs := newSet(dir)

	got := activate(t, set)

	if got.Digest == "" {
		t.Error("the bundle has no digest")
	}
	if got.Policy == nil || got.Policy.Revision() != "r1" {
		t.Errorf("the policy is %v", got.Policy)
	}
	got.Policy = nil
	want := &activation.Active{Program: program{"r1"}, BundleName: "policies", Revision: "r1", Digest: got.Digest, Evaluator: "fake", ActivatedAt: noon}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(program{})); diff != "" {
		t.Errorf("active (-want +got):\n%s", diff)
	}
	status := []activation.Status{{Tenant: tenant, Bundle: "policies", Revision: "r1", Evaluator: "fake", ActivatedAt: noon}}
	if diff := cmp.Diff(status, set.Status()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if logs.FilterMessage("policy activated").Len() != 1 {
		t.Errorf("the activation is not in the log: %v", logs.All())
	}
}

func TestActiveTellsUnknownTenantsFromUnreadyOnes(t *testing.T) {
	set, _ := newSet(t.TempDir())
	for _, c := range []struct {
		name, tenant string
		kind         authz.Kind
		text         string
	}{
		{"unknown", "customer", authz.NotFound, `"customer"`},
		{"not active yet", tenant, authz.Unavailable, "no active policy: /readyz and PolicyService.GetStatus say why"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := set.Active(c.tenant)
			if authz.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v (%v), want kind %v and text %q", err, authz.KindOf(err), c.kind, c.text)
			}
		})
	}
	if err := set.Activate(t.Context(), "customer"); authz.KindOf(err) != authz.NotFound {
		t.Errorf("Activate of an unknown tenant: %v", err)
	}
}

func TestActivateFailureLeavesTheOldProgram(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		text  string
	}{
		{"does not parse", map[string]string{"authz.rego": "package authz\n\nallow if {"}, "authz.rego:3"},
		{"does not compile", map[string]string{"authz.rego": "package authz\n\nallow if nosuch(1)"}, "nosuch"},
		{"has no allow", map[string]string{"authz.rego": "package authz\n\npermit := true"}, "no rule allow"},
		{"has bad data", map[string]string{"data.json": "{\n  \"a\": }"}, "data.json:2"},
		{"reaches into the directory", map[string]string{"data.json": `{"directory": {}}`}, "data.directory"},
		{"is refused by the evaluator", map[string]string{"data.json": `{"refuse": 1}`}, "cannot take refuse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, sound("r1"))
			set, logs := newSet(dir)
			before := activate(t, set)

			write(t, dir, c.files)
			err := set.Activate(t.Context(), tenant)

			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("got error %v, want one with %q", err, c.text)
			}
			if after, _ := set.Active(tenant); after != before {
				t.Errorf("the active program has changed from %+v to %+v", before, after)
			}
			status := set.Status()[0]
			if status.Revision != "r1" || status.LastError != err.Error() || status.LastErrorAt != noon {
				t.Errorf("status does not tell: %+v", status)
			}
			if logs.FilterMessage("policy not activated, the one before stays active").Len() != 1 {
				t.Errorf("the failure is not in the log: %v", logs.All())
			}

			write(t, dir, map[string]string{"data.json": "{}"})
			write(t, dir, sound("r2"))
			if got := activate(t, set); got.Revision != "r2" {
				t.Errorf("revision %s is active after the repair, want r2", got.Revision)
			}
			if status := set.Status()[0]; status.LastError != "" || !status.LastErrorAt.IsZero() {
				t.Errorf("the success did not clear the error: %+v", status)
			}
		})
	}
}

func TestAFailureIsLoggedOnce(t *testing.T) {
	dir := t.TempDir()
	set, logs := newSet(dir)
	for range 2 {
		if err := set.Activate(t.Context(), tenant); err == nil {
			t.Fatal("a bundle without policy was activated")
		}
	}
	if n := logs.FilterMessageSnippet("nothing is allowed without one").Len(); n != 1 || logs.Len() != 1 {
		t.Errorf("logged %v, want one line that says that there is no policy", logs.All())
	}
	write(t, dir, map[string]string{"authz.rego": "package authz\n\nallow if {"})
	if err := set.Activate(t.Context(), tenant); err == nil || logs.Len() != 2 {
		t.Errorf("another failure (%v) is not logged: %v", err, logs.All())
	}
}

func TestActivateOfTheSameContentSwapsNothing(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r1"))
	set, logs := newSet(dir)
	before := activate(t, set)

	if after := activate(t, set); after != before {
		t.Error("the program was swapped for one of the same bundle")
	}

	write(t, dir, map[string]string{"authz.rego": "package authz\n\nallow if {"})
	if err := set.Activate(t.Context(), tenant); err == nil {
		t.Fatal("a broken bundle was activated")
	}
	write(t, dir, sound("r1"))
	if after := activate(t, set); after != before {
		t.Error("the program was swapped although its bundle came back as it was")
	}
	if set.Status()[0].LastError != "" {
		t.Error("the error stands although the bundle is sound again")
	}
	if n := logs.FilterMessage("policy activated").Len(); n != 1 {
		t.Errorf("%d activations in the log, want 1", n)
	}
}

func TestActivateSeesAChangeUnderTheSameRevision(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r1"))
	set, _ := newSet(dir)
	before := activate(t, set)

	write(t, dir, map[string]string{"authz.rego": "package authz\n\nallow if false\n"})
	if after := activate(t, set); after == before {
		t.Error("the changed policy is not active")
	}
}

func TestActiveIsThereThroughoutActivations(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r0"))
	set, _ := newSet(dir)
	activate(t, set)

	var reading sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				active, err := set.Active(tenant)
				if err != nil || active.Program != (program{active.Revision}) {
					t.Errorf("got %+v and error %v, want a program of its own revision", active, err)
					return
				}
			}
		})
	}
	for i := range 50 {
		write(t, dir, sound(fmt.Sprintf("r%d", i)))
		activate(t, set)
		set.Status()
	}
	close(done)
	reading.Wait()
}

func TestActivateInACanceledContextIsNoFailureOfThePolicy(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r1"))
	set, _ := newSet(dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	if err := set.Activate(ctx, tenant); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if status := set.Status()[0]; status != (activation.Status{Tenant: tenant}) {
		t.Errorf("status tells of a failure: %+v", status)
	}
}

func TestActivationsAreRecorded(t *testing.T) {
	dir := t.TempDir() + "/policies"
	var recorded []authz.PolicyChange
	refuse := false
	set, logs := newSetWith(dir, func(o *activation.Options) {
		o.Record = func(_ context.Context, of string, change authz.PolicyChange) error {
			if of != tenant {
				t.Errorf("a change of tenant %s is recorded", of)
			}
			if refuse {
				return errors.New("the disk is full")
			}
			if change.Digest == "" != (change.Bundle == "") || !change.At.Equal(noon) {
				t.Errorf("recorded is %+v", change)
			}
			change.Digest, change.At = "", noon
			recorded = append(recorded, change)
			return nil
		}
	})
	attempt := func() { _ = set.Activate(t.Context(), tenant) }
	attempt()
	attempt() // which fails as before
	write(t, dir, sound("r1"))
	attempt()
	attempt() // which changes nothing
	write(t, dir, map[string]string{"data.json": `{"refuse": 1}`})
	attempt()
	if len(recorded) != 3 {
		t.Fatalf("recorded are %+v", recorded)
	}
	for i, want := range []struct{ bundle, before, refused string }{
		{"", "", "does not exist"}, {"policies", "", ""}, {"policies", "r1", "cannot take refuse"},
	} {
		got := recorded[i]
		if got.Bundle != want.bundle || got.Before != want.before || !strings.Contains(got.Refused, want.refused) || (got.Refused == "") != (want.refused == "") || got.Path != dir {
			t.Errorf("change %d is recorded as %+v", i, got)
		}
	}
	refuse = true
	write(t, dir, sound("r2"))
	write(t, dir, map[string]string{"data.json": "{}"})
	if got := activate(t, set); got.Revision != "r2" {
		t.Errorf("a policy that cannot be recorded is not active: %v", got)
	}
	if logs.FilterMessage("what became of a policy is not recorded").Len() != 1 {
		t.Errorf("the log does not tell: %v", logs.All())
	}
}
