package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestLimitsPage holds that the page on limits names every setting of one, and no test
// that there is not.
func TestLimitsPage(t *testing.T) {
	const root = "../.."
	text, err := os.ReadFile(root + "/docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, name := range settingNames(reflect.TypeFor[limitsConfig](), "limits.") {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("the page does not tell of %s", name)
		}
	}
	there := testsBelow(t, root)
	for _, match := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(page, -1) {
		if !there[match[1]] {
			t.Errorf("the page names %s: there is no such test", match[1])
		}
	}
}
