package store

import (
	"fmt"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

// TestNoFlipChangesAnAnswer flips a bit of each byte of a table while it is read. A
// record is read as it was, or with an error, or not at all; never as another. What is
// not found, though it was there, is why tables are verified again from time to time.
func TestNoFlipChangesAnAnswer(t *testing.T) {
	s, table := storeWithTable(t)
	outcomes := make(map[string]int)
	for at := range len(readFile(t, table)) {
		if err := flip(table, at); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			outcome := readUnderDamage(t, s, i)
			outcomes[outcome]++
			if outcome == "another" {
				t.Errorf("with a flip at byte %d entity %d is read as another", at, i)
			}
		}
		if _, err := verifyTable(table); err == nil {
			t.Errorf("a flip at byte %d is not found when the table is verified", at)
		}
		if err := flip(table, at); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("what reads came to: %v", outcomes)
	if outcomes["error"] == 0 || outcomes["the same"] == 0 {
		t.Error("the flips have not been met")
	}
}

// readUnderDamage tells what reading an entity comes to. Badger may panic, which whoever
// decides makes an error.
func readUnderDamage(t *testing.T, s *Store, i int) (outcome string) {
	defer func() {
		if recover() != nil {
			outcome = "panic"
		}
	}()
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	record, found, err := view.Entity(authz.EntityRef{Type: "user", ID: fmt.Sprint("u", i)})
	switch {
	case err != nil:
		return "error"
	case !found:
		return "nothing"
	case string(record.Attributes) != fmt.Sprintf(`{"mark":"mark-of-u%d-"}`, i):
		return "another"
	}
	return "the same"
}
