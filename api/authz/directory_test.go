package authz

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestGrantValidate(t *testing.T) {
	valid := Grant{ID: "g1", Subject: EntityRef{"user", "mina"}, Role: EntityRef{"role", "nurse"}}
	tests := []struct {
		name    string
		change  func(*Grant)
		wantErr string
	}{
		{"smallest", func(*Grant) {}, ""},
		{"everyone in the tenant", func(g *Grant) { g.Subject = Root("workforce") }, ""},
		{"window of a nanosecond", func(g *Grant) {
			g.NotBefore, g.NotAfter = at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:00.000000001Z")
		}, ""},
		{"end at the start", func(g *Grant) {
			g.NotBefore, g.NotAfter = at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")
		}, "not_after: 2026-01-01T00:00:00Z is not after not_before"},
		{"end before the start", func(g *Grant) {
			g.NotBefore, g.NotAfter = at("2026-01-02T00:00:00Z"), at("2026-01-01T00:00:00Z")
		}, "not_after: "},
		{"no id", func(g *Grant) { g.ID = "" }, "id: grant id is empty"},
		{"no subject", func(g *Grant) { g.Subject = EntityRef{} }, "subject: entity type"},
		{"role of another type", func(g *Grant) { g.Role = EntityRef{"user", "olga"} }, `role: "user:olga" is no role`},
		{"scope without id", func(g *Grant) { g.Scope = EntityRef{Type: "department"} }, "scope: entity id is empty"},
		{"longest reason", func(g *Grant) { g.Reason = strings.Repeat("r", MaxReasonBytes) }, ""},
		{"reason too long", func(g *Grant) { g.Reason = strings.Repeat("r", MaxReasonBytes+1) }, "reason: the reason has 1025 bytes"},
		{"reason not UTF-8", func(g *Grant) { g.Reason = "\xff" }, "reason: the reason is not valid UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := valid
			tt.change(&g)
			checkError(t, g.Validate(), tt.wantErr)
		})
	}
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error = %v, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error = %v, want one with %q", err, want)
	case want != "" && KindOf(err) != Invalid:
		t.Errorf("kind = %v, want invalid", KindOf(err))
	}
}

func TestGrantWindowInNanoseconds(t *testing.T) {
	tests := []struct {
		name                string
		notBefore, notAfter time.Time
		wantFrom, wantUntil int64
	}{
		{"unbounded", time.Time{}, time.Time{}, 0, math.MaxInt64},
		{"bounded", at("2026-01-01T00:00:00Z"), at("2026-07-01T00:00:00.000000001Z"), 1767225600000000000, 1782864000000000001},
		{"clamped", at("1900-01-01T00:00:00Z"), at("9999-12-31T23:59:59Z"), 0, math.MaxInt64},
		{"year one is a bound like any other", at("0001-01-01T00:00:01Z"), at("2262-04-11T23:47:17Z"), 0, math.MaxInt64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := Grant{NotBefore: tt.notBefore, NotAfter: tt.notAfter}
			if g.NotBeforeNS() != tt.wantFrom || g.NotAfterNS() != tt.wantUntil {
				t.Errorf("window = [%d, %d), want [%d, %d)", g.NotBeforeNS(), g.NotAfterNS(), tt.wantFrom, tt.wantUntil)
			}
		})
	}
}

func TestEntityValidate(t *testing.T) {
	many := make([]EntityRef, MaxParents+1)
	for i := range many {
		many[i] = EntityRef{"group", strconv.Itoa(i)}
	}
	mina := EntityRef{"user", "mina"}
	tests := []struct {
		name    string
		entity  Entity
		wantErr string
	}{
		{"bare", Entity{Ref: mina}, ""},
		{"root", Entity{Ref: Root("acme")}, `entity type "tenant" is reserved`},
		{"under the root", Entity{Ref: mina, Parents: []EntityRef{Root("acme")}}, `parents: entity type "tenant" is reserved`},
		{"own parent", Entity{Ref: mina, Parents: []EntityRef{mina}}, "is its own parent"},
		{"parent twice", Entity{Ref: mina, Parents: []EntityRef{{"group", "a"}, {"group", "a"}}}, `"group:a" stands twice`},
		{"too many parents", Entity{Ref: mina, Parents: many}, "has 1001 parents: at most 1000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkError(t, tt.entity.Validate(), tt.wantErr) })
	}
}

func TestBatchValidateListsWhatIsWrong(t *testing.T) {
	id := ""
	batch := Batch{
		Preconditions: []Precondition{{Ref: EntityRef{"User", "x"}}},
		Changes: []Change{
			{PutEntity: &Entity{Ref: EntityRef{"user", "mina"}}},
			{},
			{DeleteGrant: &id},
			{PutEntity: &Entity{Ref: EntityRef{"user", "mina"}, Parents: []EntityRef{{"user", "mina"}}}},
			{PutGrant: &Grant{ID: "g"}},
			{DeleteEntity: &EntityRef{}},
		},
	}
	err := batch.Validate()
	var fields []string
	for _, v := range ViolationsOf(err) {
		fields = append(fields, v.Field)
	}
	if got, want := strings.Join(fields, " "), "preconditions[0] changes[1] changes[2].delete_grant changes[3].put_entity.parents changes[4].put_grant.subject changes[5].delete_entity"; got != want {
		t.Errorf("fields = %q, want %q (%v)", got, want, err)
	}
}

func TestBatchSizeAtItsEdge(t *testing.T) {
	changes := make([]Change, MaxBatchChanges+1)
	for i := range changes {
		changes[i] = Change{PutEntity: &Entity{Ref: EntityRef{"user", "mina"}}}
	}
	if err := (Batch{Changes: changes[:MaxBatchChanges]}).Validate(); err != nil {
		t.Errorf("a batch of %d: %v", MaxBatchChanges, err)
	}
	checkError(t, Batch{Changes: changes}.Validate(), "the batch has 10001 changes: at most 10000")
	checkError(t, Batch{}.Validate(), "the batch is empty: expected 1 to 10000 changes")
}
