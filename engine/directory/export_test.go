package directory_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// many is more than is read at once, in the order of an export.
func many() string {
	var text strings.Builder
	for i := range 300 {
		fmt.Fprintf(&text, `{"entity":{"type":"user","id":"%05d","attributes":{"p":"%s"},"parents":["group:a"]}}`+"\n", i, strings.Repeat("x", 3_000))
	}
	for i := range 300 {
		fmt.Fprintf(&text, `{"grant":{"id":"%05d","subject":"user:00001","role":"role:r","reason":"%s"}}`+"\n", i, strings.Repeat("x", 1_000))
	}
	return text.String()
}

// A slowPeer calls between at its second read or write.
type slowPeer struct {
	io.Reader
	io.Writer
	between func()
	calls   int
}

func (p *slowPeer) pass() {
	if p.calls++; p.calls == 2 {
		p.between()
	}
}

func (p *slowPeer) Write(b []byte) (int, error) {
	p.pass()
	return p.Writer.Write(b)
}

func (p *slowPeer) Read(b []byte) (int, error) {
	p.pass()
	return p.Reader.Read(b)
}

func TestExportIsOfOneRevision(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	if _, err := importText(t, d, many(), directory.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	peer := &slowPeer{Writer: &out, between: func() {
		write(t, d, `{"delete":{"entity":"user:00001"}}`, `{"delete":{"entity":"user:00299"}}`, `{"entity":{"type":"user","id":"00150"}}`)
	}}
	if _, err := d.Export(t.Context(), tenant, authz.Consistency{}, peer); err != nil {
		t.Fatal(err)
	}
	if out.String() != many() {
		t.Errorf("the export has %d bytes of several revisions, expected %d of one", out.Len(), len(many()))
	}
}

// TestSlowPeersKeepNoHistory has a peer that takes longer than history is kept.
func TestSlowPeersKeepNoHistory(t *testing.T) {
	now := newClock()
	d := newDirectory(t, directory.Options{Retention: time.Hour, Clock: now.Now})
	if _, err := importText(t, d, many(), directory.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	leaveWindow := func() {
		for i := range 3 {
			write(t, d, fmt.Sprintf(`{"entity":{"type":"user","id":"later","attributes":{"n":%d,"t":"%s"}}}`, i, now.Now()))
			now.advance(2 * time.Hour)
		}
	}
	_, err := d.Export(t.Context(), tenant, authz.Consistency{}, &slowPeer{Writer: io.Discard, between: leaveWindow})
	wantKind(t, err, authz.FailedPrecondition, "longer than past revisions are kept")

	cut := len(many()) / 2
	lines := &slowPeer{Reader: io.MultiReader(strings.NewReader(many()[:cut]), strings.NewReader(many()[cut:])), between: leaveWindow}
	_, err = d.Import(t.Context(), tenant, lines, directory.ImportOptions{ValidateOnly: true})
	wantKind(t, err, authz.FailedPrecondition, "longer than past revisions are kept")
}
