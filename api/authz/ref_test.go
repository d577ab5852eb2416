package authz

import (
	"strings"
	"testing"
)

func TestParseEntityRef(t *testing.T) {
	tests := []struct {
		name, text string
		want       EntityRef
		wantErr    string
	}{
		{name: "type and id", text: "user:mina", want: EntityRef{"user", "mina"}},
		{name: "split at the first colon", text: "document:a:b:c", want: EntityRef{"document", "a:b:c"}},
		{name: "any UTF-8 in the id", text: "user:mína\x00/ 1", want: EntityRef{"user", "mína\x00/ 1"}},
		{name: "longest id", text: "user:" + strings.Repeat("x", MaxIDBytes), want: EntityRef{"user", strings.Repeat("x", MaxIDBytes)}},
		{name: "longest type", text: strings.Repeat("t", MaxTypeBytes) + ":x", want: EntityRef{strings.Repeat("t", MaxTypeBytes), "x"}},
		{name: "no colon", text: "mina", wantErr: `entity ref "mina" has no colon`},
		{name: "empty", text: "", wantErr: "has no colon"},
		{name: "empty type", text: ":mina", wantErr: `entity type ""`},
		{name: "empty id", text: "user:", wantErr: "entity id is empty"},
		{name: "upper case type", text: "User:mina", wantErr: `entity type "User"`},
		{name: "type begins with a digit", text: "1user:mina", wantErr: `entity type "1user"`},
		{name: "hyphen in the type", text: "night-shift:a", wantErr: `entity type "night-shift"`},
		{name: "id too long", text: "user:" + strings.Repeat("x", MaxIDBytes+1), wantErr: "entity id has 513 bytes: at most 512"},
		{name: "type too long", text: strings.Repeat("t", MaxTypeBytes+1) + ":x", wantErr: "entity type has 65 bytes: at most 64"},
		{name: "invalid UTF-8", text: "user:\xff", wantErr: "not valid UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseEntityRef(tt.text)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error = %v, want one with %q", err, tt.wantErr)
				}
				if KindOf(err) != Invalid {
					t.Errorf("kind = %v, want invalid", KindOf(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("ref = %#v, want %#v", got, tt.want)
			}
		})
	}
}

func TestReservedTypesCannotBeStored(t *testing.T) {
	for _, ref := range []EntityRef{{"tenant", "acme"}, {"ref", "x"}} {
		if err := ref.ValidateStored(); KindOf(err) != Invalid || err == nil {
			t.Errorf("ValidateStored(%s) = %v, want an invalid error", ref, err)
		}
	}
	if err := Root("acme").Validate(); err != nil {
		t.Errorf("the root is a valid ref, got %v", err)
	}
}

func TestValidateTenant(t *testing.T) {
	for _, name := range []string{"default", "acme-eu_2", strings.Repeat("a", MaxTenantBytes)} {
		if err := ValidateTenant(name); err != nil {
			t.Errorf("ValidateTenant(%q) = %v", name, err)
		}
	}
	for _, name := range []string{"", "Acme", "-a", "a/b", "a b", "a\x00", strings.Repeat("a", MaxTenantBytes+1)} {
		if err := ValidateTenant(name); err == nil {
			t.Errorf("ValidateTenant(%q) accepts it", name)
		}
	}
}

// FuzzParseEntityRef holds that what parses is valid and prints as it was.
func FuzzParseEntityRef(f *testing.F) {
	for _, seed := range []string{"user:mina", "a:b:c", ":", "", "user:\xff", "tenant:x", "a_1:\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := ParseEntityRef(text)
		if err != nil {
			if KindOf(err) != Invalid {
				t.Fatalf("kind of %v is %v, want invalid", err, KindOf(err))
			}
			return
		}
		if ref.String() != text {
			t.Fatalf("%q prints as %q", text, ref)
		}
		again, err := ParseEntityRef(ref.String())
		if err != nil || again != ref {
			t.Fatalf("%q parses again to %v, %v", text, again, err)
		}
	})
}
