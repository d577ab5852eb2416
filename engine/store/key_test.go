package store

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/verdictpdp/verdict/api/authz"
)

// TestKeysSortAsTheirComponents draws ids of few bytes, those among them that
// escaping is about.
func TestKeysSortAsTheirComponents(t *testing.T) {
	ids := rapid.StringOfN(rapid.RuneFrom([]rune{0, 1, 2, 'a', 0x7f, 0xff, 0x10ffff}), 0, 4, -1)
	rapid.Check(t, func(t *rapid.T) {
		a := []string{ids.Draw(t, "a0"), ids.Draw(t, "a1")}
		b := []string{ids.Draw(t, "b0"), ids.Draw(t, "b1")}
		keyA := refKey("t", spaceEntity, authz.EntityRef{Type: a[0], ID: a[1]})
		keyB := refKey("t", spaceEntity, authz.EntityRef{Type: b[0], ID: b[1]})
		if got, want := bytes.Compare(keyA, keyB), slices.Compare(a, b); got != want {
			t.Fatalf("%q and %q: keys compare %d, components %d", a, b, got, want)
		}
		ref, err := wholeRef(keyA[len("t")+2:])
		if err != nil || ref.Type != a[0] || ref.ID != a[1] {
			t.Fatalf("%q reads back as %q, %v", a, ref, err)
		}
		space := appendComponent(prefix("t", spaceEntity), a[0])
		if b[0] != a[0] && bytes.HasPrefix(keyB, space) {
			t.Fatalf("the key of %q is within that of type %q", b, a[0])
		}
	})
}

func TestSortableTimes(t *testing.T) {
	times := []time.Time{
		time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Unix(-1, 999_999_999),
		time.Unix(0, 0), time.Unix(0, 1), time.Unix(1, 0), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	}
	for i, a := range times {
		for j, b := range times {
			if got := bytes.Compare(appendSortableTime(nil, a), appendSortableTime(nil, b)); got != cmp.Compare(i, j) {
				t.Errorf("%s and %s compare %d, expected %d", a, b, got, cmp.Compare(i, j))
			}
		}
	}
}

// TestTenantsHaveNoKeysInCommon looks at names of which one begins another.
func TestTenantsHaveNoKeysInCommon(t *testing.T) {
	names := []string{"a", "a-", "a_b", "ab", "b"}
	for _, one := range names {
		for _, other := range names {
			if one != other && bytes.HasPrefix(prefix(other, spaceEntity), append([]byte(one), 0)) {
				t.Errorf("keys of %s are within those of %s", other, one)
			}
		}
		if strings.HasPrefix(one, string(rune(systemByte))) {
			t.Errorf("keys of %s are within those of the store", one)
		}
	}
}

// FuzzKey holds that no key makes a reader panic, and that what reads as a ref
// is that ref's only key.
func FuzzKey(f *testing.F) {
	f.Add(appendRef(nil, authz.EntityRef{Type: "user", ID: "mina"}))
	f.Add(appendRef(nil, authz.EntityRef{Type: "user", ID: "\x00\x00\xff"}))
	f.Add([]byte{0, 1, 0, 1})
	f.Add([]byte{0, 0xff})
	f.Fuzz(func(t *testing.T, key []byte) {
		ref, rest, err := cutRef(key)
		if err != nil {
			return
		}
		again := append(appendRef(nil, ref), rest...)
		if !bytes.Equal(again, key) {
			t.Fatalf("key %q reads as %q with %q after it, whose key is %q", key, ref, rest, again)
		}
	})
}

// FuzzValue holds that no value makes a reader panic or ask for memory beyond
// its size, and that what reads as a record reads again from its own value.
func FuzzValue(f *testing.F) {
	grant := authz.Grant{ID: "g", Subject: authz.EntityRef{Type: "user", ID: "mina"}, Role: authz.EntityRef{Type: "role", ID: "r"}, NotAfter: time.Unix(-5, 7), Reason: "why"}
	f.Add(appendGrant(nil, grant))
	f.Add(appendEntity(nil, authz.Entity{Attributes: []byte(`{"a":1}`), Parents: []authz.EntityRef{{Type: "group", ID: "a:b"}}}))
	f.Add(appendLinks(nil, Links{1, 2, 3, 4}))
	f.Add(appendCommitRecord(nil, commitRecord{time: time.Unix(1, 2), tenants: []changedTenant{{"t", 3}}}))
	f.Add(appendChangeRecord(nil, "t", ChangeRecord{Revision: 1, Time: time.Unix(3, 4)}, itemsOf(everyTouch()))[0].value)
	f.Fuzz(func(t *testing.T, value []byte) {
		ref := authz.EntityRef{Type: "user", ID: "mina"}
		if e, err := decodeEntity(ref, value); err == nil {
			again, err := decodeEntity(ref, appendEntity(nil, e))
			if err != nil || !sameEntity(&e, &again) {
				t.Fatalf("%+v reads back as %+v, %v", e, again, err)
			}
		}
		if g, err := decodeGrant("g", value); err == nil {
			again, err := decodeGrant("g", appendGrant(nil, g))
			if err != nil || !sameGrant(&g, &again) {
				t.Fatalf("%+v reads back as %+v, %v", g, again, err)
			}
		}
		_, _ = decodeLinks(value)
		_, _ = decodeCommitRecord(value)
		_, _ = decodeChangeRecord(1, value)
	})
}
