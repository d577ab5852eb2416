package bundle

import (
	"testing"
	"testing/fstest"

	"github.com/verdictpdp/verdict/api/authz"
)

// FuzzReadArchive reads archives that are soundly gzipped, since gzip's
// checksum keeps changed bytes from the reader behind it.
func FuzzReadArchive(f *testing.F) {
	for _, files := range []fstest.MapFS{
		{
			".manifest":       {Data: []byte(`{"revision": "r1", "roots": ["authz"]}`)},
			"authz.rego":      {Data: []byte("package authz\n\n# METADATA\n# title: All\nallow if true")},
			"authz/data.json": {Data: []byte(`{"a": [1, {}]}`)},
			"authz/data.yaml": {Data: []byte("b: &x [1]\nc: *x")},
		},
		{"data.json": {Data: []byte(`{"directory": 1}`)}},
		{"../authz.rego": {Data: []byte("package authz")}},
		{"directory/x_test.rego": {Data: []byte("package directory")}},
	} {
		f.Add(archive(f, files))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		b, err := readArchive(zipped(t, packed), origin{name: "b", path: "b"}, defaultLimits)
		if err != nil {
			if kind := authz.KindOf(err); kind != authz.Invalid && kind != authz.LimitExceeded {
				t.Errorf("kind %v of error %v", kind, err)
			}
			return
		}
		if _, taken := b.Data[reserved]; taken || b.Revision == "" {
			t.Errorf("an unsound bundle was read: %+v", b)
		}
	})
}
