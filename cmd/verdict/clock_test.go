package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// TestClockThatIsSetWhileServing sets the clock of a server forth and back under a grant that
// is in force for an hour: what is decided goes by the clock, at once, and what is written
// is acknowledged in order, with times that do not go back.
func TestClockThatIsSetWhileServing(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "authz.rego"), `package authz

allow if {
	some grant in data.directory.user[input.subject.id].grants
	now := time.now_ns()
	grant.not_before_ns <= now
	now < grant.not_after_ns
}
`)
	var set atomic.Int64 // by how much
	clock := func() time.Time { return time.Now().Add(time.Duration(set.Load())) }
	cfg := defaultConfig()
	cfg.Limits.Evaluation = duration(patience) // the machine may be busy
	s, end, ended := startByClock(t, clock, cfg, bundleAt("default", tenantConfig{Bundle: dir}))
	defer func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	r := &remote{server: dialable(s.grpcListener.Addr())}
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	put := func(changes ...*verdictv1.Change) uint64 {
		t.Helper()
		response, err := verdictv1.NewDirectoryServiceClient(conn).Write(ctx, &verdictv1.WriteRequest{Changes: changes})
		if err != nil {
			t.Fatal(err)
		}
		return response.GetRevision()
	}
	user := func(id string) *verdictv1.Change {
		return &verdictv1.Change{Change: &verdictv1.Change_PutEntity{PutEntity: &verdictv1.Entity{Type: "user", Id: id}}}
	}
	now := time.Now()
	latest := put(user("mina"), &verdictv1.Change{Change: &verdictv1.Change_PutGrant{PutGrant: &verdictv1.Grant{
		Id: "g", Subject: "user:mina", Role: "role:reader",
		NotBefore: timestamppb.New(now.Add(-30 * time.Minute)), NotAfter: timestamppb.New(now.Add(30 * time.Minute)),
	}}})
	for i, step := range []struct {
		set  time.Duration
		want bool
	}{
		{0, true}, {time.Hour, false}, {0, true}, {-time.Hour, false}, {time.Hour, false}, {-24 * time.Hour, false}, {0, true},
	} {
		set.Store(int64(step.set))
		for range 2 { // what is remembered is decided alike
			allowed, err := checkOver(ctx, conn)
			if err != nil || allowed != step.want {
				t.Errorf("with the clock set by %v: %v, %v, want %v", step.set, allowed, err, step.want)
			}
		}
		revision := put(user(fmt.Sprint("other", i)))
		if revision != latest+1 {
			t.Errorf("with the clock set by %v, revision %d comes after %d", step.set, revision, latest)
		}
		latest = revision
		question := aboutPlan()
		question.Consistency = &verdictv1.Consistency{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: latest}}
		if response, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(ctx, question); err != nil || response.GetAllowed() != step.want {
			t.Errorf("with the clock set by %v, at the latest revision: %v, %v, want %v", step.set, response.GetAllowed(), err, step.want)
		}
		response, err := http.Get("http://" + s.httpListener.Addr().String() + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("with the clock set by %v, readiness is %s", step.set, response.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	changes, err := verdictv1.NewAuditServiceClient(conn).ListChanges(ctx, &verdictv1.ListChangesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	var after time.Time // the later one: the latest is first
	for _, change := range changes.GetChanges() {
		told++
		at := change.GetCommittedAt().AsTime()
		if !after.IsZero() && at.After(after) {
			t.Errorf("revision %d is of %s, and the one after it of %s", change.GetRevision(), at, after)
		}
		after = at
	}
	if told < int(latest) {
		t.Errorf("%d changes are told of, in %d revisions", told, latest)
	}
}
