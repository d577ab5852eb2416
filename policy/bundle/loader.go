package bundle

import (
	"bytes"
	"io"

	opa "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader/filter"
)

// A memoryLoader gives OPA's reader files that are already read and bounded.
// OPA's own loaders bound one file, not their number or sum, and follow no
// links; the options with which they are set up have no meaning here.
type memoryLoader struct {
	files []file
}

func (l *memoryLoader) NextFile() (*opa.Descriptor, error) {
	if len(l.files) == 0 {
		return nil, io.EOF
	}
	f := l.files[0]
	l.files = l.files[1:]
	return opa.NewDescriptor(f.name, f.name, bytes.NewBuffer(f.raw)), nil
}

func (l *memoryLoader) WithFilter(filter.LoaderFilter) opa.DirectoryLoader { return l }
func (l *memoryLoader) WithPathFormat(opa.PathFormat) opa.DirectoryLoader  { return l }
func (l *memoryLoader) WithSizeLimitBytes(int64) opa.DirectoryLoader       { return l }
func (l *memoryLoader) WithFollowSymlinks(bool) opa.DirectoryLoader        { return l }
