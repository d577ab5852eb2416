package directory

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"

	"github.com/verdictpdp/verdict/api/authz"
)

// An edges is the parents of many entities in little memory: some thirty bytes
// each, and the text of the parents, which neighbours share.
//
// It knows an entity by the 64-bit hash of its ref, seeded at random. That two
// of ten million entities share one, so that one is taken to have the parents
// of the other, has a chance of three in a million.
type edges struct {
	seed  maphash.Seed
	lists map[uint64]uint64 // by entity: where its parents stand; 0 for none
	texts [][]byte          // of lists of parents, in chunks of which none grows
	text  []byte            // of the list that is set
	// recent are lists that were set before, by the hash of their text.
	recent [1 << 12]uint64
}

const (
	edgesChunk = 1 << 20 // more than any list of parents takes
	edgesEntry = 34      // bytes in the map, on average as it grows
)

func newEdges() *edges {
	return &edges{seed: maphash.MakeSeed(), lists: make(map[uint64]uint64)}
}

func (e *edges) bytes() int64 {
	return int64(len(e.lists))*edgesEntry + int64(len(e.texts))*edgesChunk
}

// parentsOf are the parents that were set, and whether any or none were.
func (e *edges) parentsOf(ref authz.EntityRef) (parents []authz.EntityRef, set bool) {
	at, set := e.lists[maphash.Comparable(e.seed, ref)]
	if at == 0 {
		return nil, set
	}
	text := e.at(at)
	count, n := binary.Uvarint(text)
	text = text[n:]
	component := func() string {
		size, n := binary.Uvarint(text)
		value := string(text[n : n+int(size)])
		text = text[n+int(size):]
		return value
	}
	parents = make([]authz.EntityRef, count)
	for i := range parents {
		parents[i].Type = component()
		parents[i].ID = component()
	}
	return parents, true
}

func (e *edges) set(ref authz.EntityRef, parents []authz.EntityRef) {
	at := uint64(0)
	if len(parents) > 0 {
		at = e.list(parents)
	}
	e.lists[maphash.Comparable(e.seed, ref)] = at
}

// list finds or adds a list of parents.
func (e *edges) list(parents []authz.EntityRef) uint64 {
	e.text = binary.AppendUvarint(e.text[:0], uint64(len(parents)))
	for _, parent := range parents {
		for _, component := range []string{parent.Type, parent.ID} {
			e.text = binary.AppendUvarint(e.text, uint64(len(component)))
			e.text = append(e.text, component...)
		}
	}
	recent := &e.recent[maphash.Bytes(e.seed, e.text)%uint64(len(e.recent))]
	// A text ends where it says, and so none begins with another.
	if *recent == 0 || !bytes.HasPrefix(e.at(*recent), e.text) {
		*recent = e.add(e.text)
	}
	return *recent
}

// add adds a text and returns its place, which is not 0.
func (e *edges) add(text []byte) uint64 {
	last := len(e.texts) - 1
	if last < 0 || len(e.texts[last])+len(text) > edgesChunk {
		e.texts = append(e.texts, make([]byte, 0, edgesChunk))
		last++
	}
	place := uint64(last)*edgesChunk + uint64(len(e.texts[last])) + 1
	e.texts[last] = append(e.texts[last], text...)
	return place
}

// at is what stands at a place, and what follows it.
func (e *edges) at(place uint64) []byte {
	return e.texts[(place-1)/edgesChunk][(place-1)%edgesChunk:]
}
