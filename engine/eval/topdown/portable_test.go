package topdown

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

// TestPortable holds documents that are read as a policy asks for them to the
// same documents exported whole, as JSON, into OPA's own store.
func TestPortable(t *testing.T) {
	for _, c := range evaltest.Cases() {
		if c.Text != "" {
			continue // what fails by a limit of ours does not fail there
		}
		t.Run(c.Name, func(t *testing.T) {
			prepared := c.Prepare(t, New()).(*program)
			c.Entities = 10_000
			in := c.Input(t)
			txn := &transaction{ctx: t.Context(), directory: in.Directory, static: prepared.policy.Data()}
			whole, err := txn.everything(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			document, err := ast.JSON(whole)
			if err != nil {
				t.Fatal(err)
			}
			exported := inmem.NewFromObject(document.(map[string]any))
			input, err := eval.Document(in.Request)
			if err != nil {
				t.Fatal(err)
			}
			var yield eval.Yield
			err = storage.Txn(t.Context(), exported, storage.TransactionParams{}, func(txn storage.Transaction) error {
				yield, err = yieldOf(t.Context(), prepared.newQuery(input, in.Now).WithStore(exported).WithTransaction(txn))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := yield.Output()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Want, got); diff != "" {
				t.Errorf("on the exported document (-want +got):\n%s", diff)
			}
		})
	}
}
