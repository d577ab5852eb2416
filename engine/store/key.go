package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/verdictpdp/verdict/api/authz"
)

// A key begins with the tenant's name and a NUL, which no name contains; then
// comes a space, then the space's components. So nothing of one tenant is ever
// within a prefix of another's. Keys of the store itself begin with systemByte,
// which no name begins with.

// A space is a kind of keys within a tenant.
type space byte

// The spaces. Indexes lie above records, so that a bulk load can write the one
// and the other as two sorted streams that do not overlap.
const (
	spaceHead   space = 'a' // → revision of the tenant's last change
	spacePolicy space = 'b' // → what became of the tenant's policy last
	spaceChange space = 'c' // revision, chunk → part of a change record
	spaceEntity space = 'e' // type, id → entity
	spaceGrant  space = 'g' // grant id → grant

	spaceLinks     space = 'l' // type, id → how many records point to the entity
	spaceChild     space = 'm' // parent's type and id, child's type and id →
	spaceBySubject space = 'n' // subject's type and id, grant id → grant
	spaceByRole    space = 'o' // role's type and id, grant id →
	spaceByScope   space = 'p' // scope's type and id, grant id →
	spaceByExpiry  space = 'q' // end of the window, grant id →

	spaceByReference space = 'r' // named type and id, attribute, type, id →
)

// The store's own keys.
const (
	systemByte   = 0x01
	systemAudit  = 'a' // → latest revision whose change record is gone
	systemFormat = 'f' // → format of the store
	systemFloor  = 'l' // → oldest revision that can be read
	systemCommit = 't' // revision → time of the commit, and whom it changed
)

// format is the layout that this package writes. It reads those from oldestFormat
// on as well; the first commit makes a store's this one. Before 3, change records
// have no authors and go with their revisions; before sealedFormat, records have no
// seals, and those of revisions before the commit that raised it stay without.
const (
	format       = 4
	sealedFormat = 4
	oldestFormat = 2
)

// A component of a key is escaped, so that keys sort as tuples of their
// components do: a NUL becomes escapedNUL, and the end is a terminator that
// sorts below both it and every other byte.
const (
	escape     = 0x00
	terminator = 0x01
	escapedNUL = 0xff
)

func appendComponent(key []byte, component string) []byte {
	for i := range len(component) {
		key = append(key, component[i])
		if component[i] == escape {
			key = append(key, escapedNUL)
		}
	}
	return append(key, escape, terminator)
}

// cutComponent takes the first component off a key.
func cutComponent(key []byte) (component string, rest []byte, err error) {
	end := bytes.IndexByte(key, escape)
	if end >= 0 && end+1 < len(key) && key[end+1] == terminator {
		return string(key[:end]), key[end+2:], nil
	}
	var unescaped []byte
	for i := 0; i < len(key); i++ {
		if key[i] != escape {
			unescaped = append(unescaped, key[i])
			continue
		}
		i++
		switch {
		case i == len(key):
			return "", nil, fmt.Errorf("key ends within an escape")
		case key[i] == terminator:
			return string(unescaped), key[i+1:], nil
		case key[i] != escapedNUL:
			return "", nil, fmt.Errorf("key has the unknown escape %#x", key[i])
		}
		unescaped = append(unescaped, escape)
	}
	return "", nil, fmt.Errorf("key ends within a component")
}

// prefix is what the keys of a tenant's space begin with.
func prefix(tenant string, s space) []byte {
	key := make([]byte, 0, len(tenant)+96)
	key = append(key, tenant...)
	return append(key, 0, byte(s))
}

func refKey(tenant string, s space, ref authz.EntityRef) []byte {
	return appendRef(prefix(tenant, s), ref)
}

func appendRef(key []byte, ref authz.EntityRef) []byte {
	return appendComponent(appendComponent(key, ref.Type), ref.ID)
}

func grantKey(tenant, id string) []byte {
	return appendComponent(prefix(tenant, spaceGrant), id)
}

func changeKey(tenant string, revision uint64, chunk uint32) []byte {
	key := binary.BigEndian.AppendUint64(prefix(tenant, spaceChange), revision)
	return binary.BigEndian.AppendUint32(key, chunk)
}

func systemKey(kind byte) []byte { return []byte{systemByte, kind} }

func commitKey(revision uint64) []byte {
	return binary.BigEndian.AppendUint64(systemKey(systemCommit), revision)
}

// referenceKey is what the keys of the entities of a type begin with that have a
// reference.
func referenceKey(tenant string, r reference, typ string) []byte {
	return appendComponent(appendComponent(refKey(tenant, spaceByReference, r.to), r.attribute), typ)
}

// cutRef takes a ref off a key.
func cutRef(key []byte) (ref authz.EntityRef, rest []byte, err error) {
	if ref.Type, rest, err = cutComponent(key); err != nil {
		return ref, nil, err
	}
	ref.ID, rest, err = cutComponent(rest)
	return ref, rest, err
}

// wholeRef reads a key that is a ref and no more.
func wholeRef(key []byte) (authz.EntityRef, error) {
	ref, rest, err := cutRef(key)
	return ref, wholly(rest, err)
}

// wholeComponent reads a key that is one component and no more.
func wholeComponent(key []byte) (string, error) {
	component, rest, err := cutComponent(key)
	return component, wholly(rest, err)
}

func wholly(rest []byte, err error) error {
	if err == nil && len(rest) > 0 {
		return fmt.Errorf("%d bytes follow the key's last component", len(rest))
	}
	return err
}

// after is the first key beyond all that begin with prefix. The prefix must
// not end in 0xff, which no space and no terminator does.
func after(prefix []byte) []byte {
	key := bytes.Clone(prefix)
	key[len(key)-1]++
	return key
}
