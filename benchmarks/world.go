package benchmarks

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
)

// A world is a directory of a size: users of ten attributes in departments of
// divisions, roles, grants to departments and to some users, and documents.
// The same size is always the same world.
type world struct {
	users int
}

const (
	usersPerDepartment    = 100
	departmentsPerDivison = 20
	usersPerDocument      = 10
	usersPerGrant         = 20 // one user in so many holds a grant of their own
)

func (w world) departments() int { return max(1, w.users/usersPerDepartment) }
func (w world) divisions() int   { return max(1, w.departments()/departmentsPerDivison) }
func (w world) documents() int   { return max(1, w.users/usersPerDocument) }

// writeUsers writes the users alone, as lines of the import format.
func (w world) writeUsers(out io.Writer) error {
	lines := bufio.NewWriterSize(out, 1<<20)
	random := rand.New(rand.NewPCG(1, uint64(w.users)))
	for i := range w.users {
		fmt.Fprintf(lines, `{"entity":{"type":"user","id":"u%08d","attributes":{"title":"engineer %d","level":%d,"region":"eu-%d","email":"u%08d@example.com","active":true,"clearance":%d,"manager":"user:u%08d","cost_center":"cc-%d","language":"de","joined":"20%02d-0%d-01"},"parents":["department:d%06d"]}}`+"\n",
			i, random.IntN(90), random.IntN(9), random.IntN(5), i, random.IntN(5), random.IntN(w.users), random.IntN(200),
			random.IntN(26), 1+random.IntN(9), i%w.departments())
	}
	return lines.Flush()
}

// write writes the whole world.
func (w world) write(out io.Writer) error {
	lines := bufio.NewWriterSize(out, 1<<20)
	fmt.Fprintln(lines, `{"entity":{"type":"role","id":"reader","attributes":{"permissions":["document:read"]}}}`)
	fmt.Fprintln(lines, `{"entity":{"type":"role","id":"editor","attributes":{"permissions":["document:write"]},"parents":["role:reader"]}}`)
	fmt.Fprintln(lines, `{"entity":{"type":"organization","id":"acme"}}`)
	for i := range w.divisions() {
		fmt.Fprintf(lines, `{"entity":{"type":"division","id":"v%04d","parents":["organization:acme"]}}`+"\n", i)
	}
	for i := range w.departments() {
		fmt.Fprintf(lines, `{"entity":{"type":"department","id":"d%06d","parents":["division:v%04d"]}}`+"\n", i, i%w.divisions())
		fmt.Fprintf(lines, `{"grant":{"id":"department-%06d","subject":"department:d%06d","role":"role:reader","scope":"department:d%06d"}}`+"\n", i, i, i)
	}
	for i := 0; i < w.users; i += usersPerGrant {
		fmt.Fprintf(lines, `{"grant":{"id":"user-%08d","subject":"user:u%08d","role":"role:editor","scope":"department:d%06d"}}`+"\n", i, i, i%w.departments())
	}
	for i := range w.documents() {
		fmt.Fprintf(lines, `{"entity":{"type":"document","id":"doc%07d","attributes":{"classification":%d,"owner":"user:u%08d"},"parents":["department:d%06d"]}}`+"\n",
			i, i%4, i*usersPerDocument, i%w.departments())
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	return w.writeUsers(out)
}
