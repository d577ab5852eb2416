package pip_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// model computes an entity by its definition, from one snapshot and nothing
// else, as plain JSON.
type model struct {
	*piptest.Snapshot
}

func (m model) entity(t testing.TB, ref authz.EntityRef) any {
	stored, known, err := m.Entity(ref)
	if err != nil {
		t.Fatal(err)
	}
	if !known {
		return nil
	}
	distances := m.distances(ref)
	ancestors := make(map[string]string)
	byRef := make(map[string]int)
	grants := []map[string]any{}
	permissions := make(map[string]string)
	nearest := make(map[string]int)
	for at, distance := range distances {
		ancestors[at.String()] = at.String()
		byRef[at.String()] = distance
		own, err := m.GrantsOf(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range own {
			grants = append(grants, map[string]any{
				"id": g.ID, "subject": g.Subject.String(), "role": g.Role.String(), "scope": scope(g, m.Tenant()),
				"not_before_ns": g.NotBeforeNS(), "not_after_ns": g.NotAfterNS(),
			})
		}
		for _, permission := range m.permissions(t, at) {
			from, found := permissions[permission]
			if !found || distance < nearest[permission] || distance == nearest[permission] && at.String() < from {
				permissions[permission], nearest[permission] = at.String(), distance
			}
		}
	}
	slices.SortFunc(grants, func(a, b map[string]any) int { return cmp.Compare(a["id"].(string), b["id"].(string)) })
	byScope := make(map[string][]any)
	for _, g := range grants {
		byScope[g["scope"].(string)] = append(byScope[g["scope"].(string)], g)
	}
	parents := []string{}
	for _, p := range stored.Parents {
		parents = append(parents, p.String())
	}
	attributes := stored.Attributes
	if attributes == nil {
		attributes = json.RawMessage("{}")
	}
	out := map[string]any{
		"type": ref.Type, "id": ref.ID, "ref": ref.String(), "attributes": attributes, "parents": parents,
		"ancestors": ancestors, "distances": byRef, "grants": grants, "grants_by_scope": byScope,
	}
	if ref.Type == authz.RoleType {
		out["permissions"] = permissions
	}
	return out
}

func scope(g authz.Grant, tenant string) string {
	if g.Scope.IsZero() {
		return "tenant:" + tenant
	}
	return g.Scope.String()
}

// distances relaxes edges until nothing changes.
func (m model) distances(ref authz.EntityRef) map[authz.EntityRef]int {
	root := authz.Root(m.Tenant())
	distances := map[authz.EntityRef]int{ref: 0}
	for changed := true; changed; {
		changed = false
		for at, distance := range maps.Clone(distances) {
			if at == root {
				continue
			}
			stored, _, _ := m.Entity(at)
			above := stored.Parents
			if len(above) == 0 {
				above = []authz.EntityRef{root}
			}
			for _, parent := range above {
				if known, found := distances[parent]; !found || distance+1 < known {
					distances[parent] = distance + 1
					changed = true
				}
			}
		}
	}
	return distances
}

func (m model) permissions(t testing.TB, ref authz.EntityRef) []string {
	stored, known, _ := m.Entity(ref)
	if !known || ref.Type != authz.RoleType || stored.Attributes == nil {
		return nil
	}
	var attributes struct{ Permissions []string }
	if err := json.Unmarshal(stored.Attributes, &attributes); err != nil {
		t.Fatal(err)
	}
	return attributes.Permissions
}

// text is any value as canonical JSON.
func text(t testing.TB, value any) string {
	out, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ast.ValueFromReader(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return parsed.String()
}

// universe is the entities that histories are about: layers of departments,
// roles, and users below them, so that edges that point from a later to an
// earlier one close no cycle.
func universe() []authz.EntityRef {
	var refs []authz.EntityRef
	for _, typ := range []string{"department", authz.RoleType, "user"} {
		for i := range 6 {
			refs = append(refs, authz.EntityRef{Type: typ, ID: fmt.Sprint(i)})
		}
	}
	return refs
}

// randomChange draws a change.
func randomChange(r *rand.Rand, refs []authz.EntityRef) authz.Change {
	i := r.IntN(len(refs))
	ref := refs[i]
	switch r.IntN(10) {
	case 0:
		return authz.Change{DeleteEntity: &ref}
	case 1:
		id := fmt.Sprint("g", r.IntN(12))
		return authz.Change{DeleteGrant: &id}
	case 2, 3, 4:
		subject := ref
		if r.IntN(5) == 0 {
			subject = authz.Root("t")
		}
		g := authz.Grant{ID: fmt.Sprint("g", r.IntN(12)), Subject: subject, Role: authz.EntityRef{Type: authz.RoleType, ID: fmt.Sprint(r.IntN(6))}}
		if r.IntN(2) == 0 {
			g.Scope = refs[r.IntN(len(refs))]
		}
		return authz.Change{PutGrant: &g}
	default:
		e := authz.Entity{Ref: ref, Attributes: json.RawMessage(fmt.Sprintf(`{"n":%d}`, r.IntN(1000)))}
		if ref.Type == authz.RoleType {
			e.Attributes = json.RawMessage(fmt.Sprintf(`{"permissions":["doc:%d","doc:%d"]}`, r.IntN(4), r.IntN(4)))
		}
		for _, parent := range refs[:i] {
			if parent.Type != "user" && r.IntN(6) == 0 {
				e.Parents = append(e.Parents, parent)
			}
		}
		return authz.Change{PutEntity: &e}
	}
}

// checkRead reads an entity through the cache, its members in random order,
// and compares each and the whole with the model.
func checkRead(t testing.TB, r *rand.Rand, cache *pip.Cache, snapshot *piptest.Snapshot, ref authz.EntityRef) bool {
	want := model{snapshot}.entity(t, ref)
	e, err := cache.Reader(snapshot, 100).Entity(t.Context(), ref.Type, ref.ID)
	if err != nil {
		t.Error(err)
		return false
	}
	if e == nil || want == nil {
		if (e == nil) != (want == nil) {
			t.Errorf("%s at revision %d (epoch %d): read is known %v, model %v", ref, snapshot.Revision(), snapshot.Epoch(), e != nil, want != nil)
			return false
		}
		return true
	}
	members := want.(map[string]any)
	names := slices.Sorted(maps.Keys(members))
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:r.IntN(len(names))] {
		member, _ := eval.MemberNamed(name)
		switch r.IntN(3) {
		case 0:
			if got := iterated(t, e, member); got != "" && got != text(t, members[name]) {
				t.Errorf("%s of %s at revision %d (epoch %d):\nvisited %s\n   want %s", name, ref, snapshot.Revision(), snapshot.Epoch(), got, text(t, members[name]))
				return false
			}
			continue
		case 1:
			if !checkLookup(t, r, e, member, text(t, members[name])) {
				t.Errorf("%s at revision %d (epoch %d)", ref, snapshot.Revision(), snapshot.Epoch())
				return false
			}
			continue
		}
		got, err := e.Member(t.Context(), member)
		if err != nil {
			t.Error(err)
			return false
		}
		if want := text(t, members[name]); got.String() != want {
			t.Errorf("%s of %s at revision %d (epoch %d):\n got %s\nwant %s", name, ref, snapshot.Revision(), snapshot.Epoch(), got, want)
			return false
		}
	}
	got, err := e.Value(t.Context())
	if err != nil {
		t.Error(err)
		return false
	}
	if want := text(t, members); got.String() != want {
		t.Errorf("%s at revision %d (epoch %d):\n got %s\nwant %s", ref, snapshot.Revision(), snapshot.Epoch(), got, want)
		return false
	}
	return true
}

// iterated is what Each visits in a member, in the order visited, as the text of
// an object or an array; nothing for another member.
func iterated(t testing.TB, e eval.Entity, member eval.Member) string {
	var parts []string
	err := e.Each(t.Context(), member, func(key, value *ast.Term) bool {
		part := value.String()
		if _, isIndex := key.Value.(ast.Number); !isIndex {
			part = key.String() + ": " + part
		} else if key.String() != fmt.Sprint(len(parts)) {
			t.Errorf("element %d of %s has index %s", len(parts), member, key)
		}
		parts = append(parts, part)
		return true
	})
	if err != nil {
		t.Error(err)
	}
	switch member {
	case eval.Type, eval.ID, eval.Ref:
		if len(parts) > 0 {
			t.Errorf("%s has elements %v", member, parts)
		}
		return ""
	case eval.Parents, eval.Grants:
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return "{" + strings.Join(parts, ", ") + "}"
	}
}

// checkLookup looks up some of the keys of a member whose text is known, and one
// that is not there.
func checkLookup(t testing.TB, r *rand.Rand, e eval.Entity, member eval.Member, want string) bool {
	whole := ast.MustParseTerm(want)
	keys := []*ast.Term{ast.StringTerm("none"), ast.InternedTerm(99)}
	values := []*ast.Term{nil, nil}
	add := func(key, value *ast.Term) { keys, values = append(keys, key), append(values, value) }
	switch whole := whole.Value.(type) {
	case ast.Object:
		whole.Foreach(add)
	case *ast.Array:
		for i := range whole.Len() {
			add(ast.InternedTerm(i), whole.Elem(i))
		}
	}
	for _, i := range r.Perm(len(keys))[:1+r.IntN(len(keys))] {
		got, err := e.Lookup(t.Context(), member, keys[i])
		if err != nil {
			t.Error(err)
			return false
		}
		if (got == nil) != (values[i] == nil) || got != nil && !got.Equal(values[i]) {
			t.Errorf("%s[%s] is %v, expected %v", member, keys[i], got, values[i])
			return false
		}
	}
	return true
}

// TestHistory reads after each write of random histories: at the latest
// revision, at past ones, and through snapshots taken before the write.
func TestHistory(t *testing.T) {
	refs := universe()
	seeds := uint64(20)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 0))
		cache := pip.NewCache(pip.Options{})
		directory := piptest.New("t")
		directory.OnCommit = cache.Invalidate
		open := []*piptest.Snapshot{directory.Latest()}
		for range 150 {
			changes := make([]authz.Change, 1+r.IntN(3))
			for i := range changes {
				changes[i] = randomChange(r, refs)
			}
			revision := directory.Write(changes...)
			open = append(open, directory.Latest())
			if len(open) > 4 {
				open = slices.Delete(open, 0, 1)
			}
			for range 4 {
				snapshot := open[r.IntN(len(open))]
				if r.IntN(5) == 0 {
					snapshot = directory.At(1 + r.Uint64N(revision))
				}
				if !checkRead(t, r, cache, snapshot, refs[r.IntN(len(refs))]) {
					t.Fatalf("seed %d", seed)
				}
			}
		}
	}
}

// TestConcurrentHistory reads while others write.
func TestConcurrentHistory(t *testing.T) {
	refs := universe()
	// A small cache evicts and loads all the time.
	for _, most := range []int64{1 << 30, 30_000} {
		cache := pip.NewCache(pip.Options{MaxBytes: most})
		directory := piptest.New("t")
		directory.OnCommit = cache.Invalidate
		var done atomic.Bool
		var writers, readers sync.WaitGroup
		for w := range uint64(2) {
			writers.Go(func() {
				r := rand.New(rand.NewPCG(w, 1))
				for range 150 {
					directory.Write(randomChange(r, refs))
				}
			})
		}
		for w := range uint64(4) {
			readers.Go(func() {
				r := rand.New(rand.NewPCG(w, 2))
				for last := false; !last; {
					last = done.Load()
					snapshot := directory.Latest()
					if r.IntN(8) == 0 {
						snapshot = directory.At(1 + r.Uint64N(snapshot.Revision()))
					}
					for range 5 {
						if !checkRead(t, r, cache, snapshot, refs[r.IntN(len(refs))]) {
							return
						}
					}
				}
			})
		}
		writers.Wait()
		done.Store(true)
		readers.Wait()
	}
}
