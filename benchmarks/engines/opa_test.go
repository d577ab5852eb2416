package engines

import (
	"bytes"
	"math"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/benchmarks/scenario"
	"github.com/verdictpdp/verdict/engine/pip"
)

// What OPA is given is what verdict export --as opa writes.
func TestDocumentIsWhatIsExported(t *testing.T) {
	s := scenario.All(500)[0]
	w, err := s.World()
	if err != nil {
		t.Fatal(err)
	}
	var exported bytes.Buffer
	reader := pip.NewCache(pip.Options{}).Reader(directory(w).Latest(), math.MaxInt)
	if err := reader.WriteDocument(t.Context(), &exported); err != nil {
		t.Fatal(err)
	}
	want, err := ast.ValueFromReader(&exported)
	if err != nil {
		t.Fatal(err)
	}
	got, err := document(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if got.Compare(want) != 0 {
		t.Errorf("the document of %s is not what is exported", s.Name)
	}
}
