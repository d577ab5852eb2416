package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFaultsNameTheirTests holds that each paragraph of the page on faults names tests,
// and that those exist.
func TestFaultsNameTheirTests(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "faults.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := testsBelow(t, root)
	name := regexp.MustCompile("`(Test\\w+)`")
	for paragraph := range strings.SplitSeq(string(page), "\n\n") {
		named := name.FindAllStringSubmatch(paragraph, -1)
		if strings.HasPrefix(paragraph, "**") && len(named) == 0 {
			t.Errorf("no test is named for: %.60s…", paragraph)
		}
		for _, test := range named {
			if !there[test[1]] {
				t.Errorf("there is no %s", test[1])
			}
		}
	}
}
