package authz

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of names. Each is held by Validate.
const (
	MaxTypeBytes   = 64  // bytes of an entity type
	MaxIDBytes     = 512 // bytes of an entity's or a grant's id
	MaxTenantBytes = 64  // bytes of a tenant's name
)

// RootType is the type of the root, tenant:<name>, which is above every entity
// of a tenant. No entity can be stored under it.
const RootType = "tenant"

// refMember is the member of data.directory that finds entities by ref, and so
// cannot be an entity type.
const refMember = "ref"

// An EntityRef names an entity. Its text is type:id, split at the first colon.
type EntityRef struct {
	// Type matches [a-z][a-z0-9_]* and has at most MaxTypeBytes bytes.
	Type string
	// ID is any non-empty UTF-8 of at most MaxIDBytes bytes.
	ID string
}

// Root is the ref of a tenant's root.
func Root(tenant string) EntityRef { return EntityRef{Type: RootType, ID: tenant} }

// ParseEntityRef reads type:id. Its errors are of kind Invalid.
func ParseEntityRef(s string) (EntityRef, error) {
	typ, id, found := strings.Cut(s, ":")
	if !found {
		return EntityRef{}, Errorf(Invalid, "entity ref %s has no colon: write type:id, such as user:mina", Quote(s))
	}
	ref := EntityRef{Type: typ, ID: id}
	return ref, ref.Validate()
}

// String is the ref as text, type:id; the zero ref is the empty string.
func (r EntityRef) String() string {
	if r.IsZero() {
		return ""
	}
	return r.Type + ":" + r.ID
}

// IsZero reports whether r names nothing.
func (r EntityRef) IsZero() bool { return r == EntityRef{} }

// IsRoot reports whether r is the root of a tenant.
func (r EntityRef) IsRoot() bool { return r.Type == RootType }

// Compare orders refs by type, then by id, both by bytes.
func (r EntityRef) Compare(other EntityRef) int {
	if c := strings.Compare(r.Type, other.Type); c != 0 {
		return c
	}
	return strings.Compare(r.ID, other.ID)
}

// Validate reports what is wrong with the ref's form. The root is valid here;
// ValidateStored refuses it.
func (r EntityRef) Validate() error {
	if err := validateType(r.Type); err != nil {
		return err
	}
	return validateID("entity id", r.ID)
}

// ValidateStored reports what keeps an entity from being stored under r: an
// invalid form or a reserved type.
func (r EntityRef) ValidateStored() error {
	if r.Type == RootType || r.Type == refMember {
		return Errorf(Invalid, "entity type %q is reserved: choose another type", r.Type)
	}
	return r.Validate()
}

// ValidateTenant reports what is wrong with a tenant's name, which matches
// [a-z][a-z0-9_-]* and has at most MaxTenantBytes bytes.
func ValidateTenant(name string) error {
	if len(name) > MaxTenantBytes {
		return Errorf(Invalid, "tenant name has %d bytes: at most %d are allowed", len(name), MaxTenantBytes)
	}
	if !isName(name, "_-") {
		return Errorf(Invalid, "tenant name %s: expected a lower-case letter, then lower-case letters, digits, - or _", Quote(name))
	}
	return nil
}

func validateType(typ string) error {
	if len(typ) > MaxTypeBytes {
		return Errorf(Invalid, "entity type has %d bytes: at most %d are allowed", len(typ), MaxTypeBytes)
	}
	if !isName(typ, "_") {
		return Errorf(Invalid, "entity type %s: expected a lower-case letter, then lower-case letters, digits or _", Quote(typ))
	}
	return nil
}

func validateID(what, id string) error {
	switch {
	case id == "":
		return Errorf(Invalid, "%s is empty", what)
	case len(id) > MaxIDBytes:
		return Errorf(Invalid, "%s has %d bytes: at most %d are allowed", what, len(id), MaxIDBytes)
	case !utf8.ValidString(id):
		return Errorf(Invalid, "%s %s is not valid UTF-8", what, Quote(id))
	}
	return nil
}

// isName reports whether s is a lower-case letter followed by lower-case
// letters, digits and the characters of also.
func isName(s, also string) bool {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return true
}

// maxQuoted is how many bytes of a caller's text an error repeats.
const maxQuoted = 80

// Quote quotes a caller's text for an error, cut to a bounded length.
func Quote(s string) string {
	if len(s) <= maxQuoted {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q…", s[:maxQuoted])
}
