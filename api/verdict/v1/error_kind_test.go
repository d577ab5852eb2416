package verdictv1_test

import (
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// Every kind of either side has one of the other: a kind that is added to one of
// them alone fails here.
func TestKindsTravel(t *testing.T) {
	// A kind that has no name of its own is past the last one.
	kinds := 0
	for kind := authz.Internal; kind == authz.Internal || kind.String() != authz.Internal.String(); kind++ {
		travels := verdictv1.ErrorKindOf(kind)
		if got, want := travels.String(), "ERROR_KIND_"+strings.ToUpper(kind.String()); got != want {
			t.Errorf("%v travels as %s, want %s", kind, got, want)
		}
		if got := travels.Kind(); got != kind {
			t.Errorf("%v arrives as %v", kind, got)
		}
		kinds++
	}
	if named := len(verdictv1.ErrorKind_name) - 1; named != kinds { // the unspecified one is none
		t.Errorf("%d kinds travel, package authz has %d", named, kinds)
	}
	for _, unknown := range []verdictv1.ErrorKind{verdictv1.ErrorKind_ERROR_KIND_UNSPECIFIED, 99, -1} {
		if got := unknown.Kind(); got != authz.Internal {
			t.Errorf("%v is %v", unknown, got)
		}
	}
	if got := verdictv1.ErrorKindOf(200); got != verdictv1.ErrorKind_ERROR_KIND_INTERNAL {
		t.Errorf("a kind of the future travels as %v", got)
	}
}
