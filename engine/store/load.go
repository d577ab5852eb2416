package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/ristretto/v2/z"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// A bulk load writes Badger's tables directly, which takes keys in their
// order. So it sorts twice, on disk: the records, of which the last under a
// key stays, and what is derived from those that stayed.

// LoadOptions say where a bulk load makes its store.
type LoadOptions struct {
	// Dir is the directory of the store: not there, empty, or a store that was
	// never written to.
	Dir string
	// Now is the time of the one revision.
	Now time.Time
	// Logger hears what Badger warns of.
	Logger *zap.Logger
}

// loadRevision is the revision of all that is loaded. It has no change record:
// what can be watched begins after it.
const loadRevision = 1

// Load makes a store that holds what read puts into the loader, as its first
// revision. Then verify looks at the store. An error of either is returned,
// and the directory is left as it was.
//
// The store is built within its directory, which is locked meanwhile, and
// takes its place there when it is whole and on disk: an interruption leaves a
// store that was never written to, or none. A directory that holds something
// else, and a system on which a lock cannot be held, are errors of kind
// FailedPrecondition.
func Load(o LoadOptions, tenant string, read func(*Loader) error, verify func(*View, *Loader) error) error {
	site, err := newLoadSite(o.Dir, o.Logger)
	if err != nil {
		return err
	}
	defer site.close()
	return site.load(o, tenant, read, verify)
}

func (s *loadSite) load(o LoadOptions, tenant string, read func(*Loader) error, verify func(*View, *Loader) error) error {
	l := &Loader{
		tenant: tenant, records: sorter{dir: s.dir}, derived: sorter{dir: s.dir},
		deleted: make(map[authz.EntityRef]uint64),
	}
	defer l.records.remove()
	if err := read(l); err != nil {
		return err
	}
	if err := l.write(s, o); err != nil {
		return fmt.Errorf("loading into %s: %w", o.Dir, err)
	}
	l.derived.remove()
	loaded, err := open(Options{Dir: s.store(), Clock: time.Now, Logger: o.Logger}, s.disk.free)
	if err != nil {
		return err
	}
	view, err := loaded.Latest(tenant)
	if err == nil {
		err = verify(view, l)
		view.Close()
	}
	if err := errors.Join(err, loaded.Close()); err != nil {
		return err
	}
	return s.finish()
}

// A Loader takes the records of a bulk load, in order: the last put or deletion
// of an entity or a grant counts, and a deleted entity takes with it the
// grants put before that name it.
type Loader struct {
	tenant  string
	records sorter // record keys and sequence → operation, value
	derived sorter // index entries, and links to be summed
	// deleted are the entities that were deleted, and when.
	deleted  map[authz.EntityRef]uint64
	sequence uint64
	value    []byte
}

// PutEntity puts an entity from a line.
func (l *Loader) PutEntity(line int, e authz.Entity) error {
	l.value = appendEntity(l.begin(line, PutEntity), e)
	return l.add(refKey(l.tenant, spaceEntity, e.Ref))
}

// PutGrant puts a grant from a line.
func (l *Loader) PutGrant(line int, g authz.Grant) error {
	l.value = appendGrant(l.begin(line, PutGrant), g)
	return l.add(grantKey(l.tenant, g.ID))
}

// DeleteEntity deletes an entity, and the grants that name it.
func (l *Loader) DeleteEntity(line int, ref authz.EntityRef) error {
	l.value = l.begin(line, DeleteEntity)
	l.deleted[ref] = l.sequence
	return l.add(refKey(l.tenant, spaceEntity, ref))
}

// DeleteGrant deletes a grant.
func (l *Loader) DeleteGrant(line int, id string) error {
	l.value = l.begin(line, DeleteGrant)
	return l.add(grantKey(l.tenant, id))
}

// begin begins the value of the next record.
func (l *Loader) begin(line int, op Op) []byte {
	l.sequence++
	return binary.AppendUvarint(append(l.value[:0], byte(op)), uint64(line))
}

const sequenceSize = 8

func (l *Loader) add(key []byte) error {
	return l.records.add(binary.BigEndian.AppendUint64(key, l.sequence), l.value)
}

// A loaded record is one that stays.
type loaded struct {
	key      []byte
	op       Op
	sequence uint64
	line     int
	value    []byte
}

// eachLoaded visits the last record under each key, in the order of keys.
func (l *Loader) eachLoaded(visit func(loaded) error) error {
	var last loaded
	err := l.records.each(func(key, value []byte) error {
		split := len(key) - sequenceSize
		if last.key != nil && !bytes.Equal(last.key, key[:split]) {
			if err := visit(last); err != nil {
				return err
			}
		}
		line, size := binary.Uvarint(value[1:])
		last = loaded{
			key: append(last.key[:0], key[:split]...), op: Op(value[0]),
			sequence: binary.BigEndian.Uint64(key[split:]), line: int(line),
			value: append(last.value[:0], value[1+size:]...),
		}
		return nil
	})
	if err == nil && last.key != nil {
		err = visit(last)
	}
	return err
}

// LinesOf finds the lines that entities were last put from, and sets them in
// lines, whose keys they are. It reads all that was loaded, once, and so is for
// errors.
func (l *Loader) LinesOf(lines map[authz.EntityRef]int) error {
	return l.eachLoaded(func(r loaded) error {
		if r.op != PutEntity {
			return nil
		}
		ref, err := wholeRef(l.components(r.key))
		if _, asked := lines[ref]; asked && err == nil {
			lines[ref] = r.line
		}
		return err
	})
}

// loadTableBytes makes tables of 32 MiB: the writer multiplies it, and holds
// some tables in memory.
const loadTableBytes = 1 << 20

// Streams are written at the same time, each in the order of its keys.
const (
	systemStream = iota + 1
	recordStream
	derivedStream
)

func (l *Loader) write(site *loadSite, o LoadOptions) (err error) {
	db, err := openWith(site.disk, badgerOptions(site.store(), o.Logger).WithBaseTableSize(loadTableBytes))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w := newTableWriter(db, site.disk)
	if err := w.writer.Prepare(); err != nil {
		return err
	}
	defer w.close()
	for _, e := range []entry{
		{systemKey(systemFormat), appendNumber(format)},
		{systemKey(systemFloor), appendNumber(loadRevision)},
		{commitKey(loadRevision), appendCommitRecord(nil, commitRecord{time: o.Now})},
		{prefix(l.tenant, spaceHead), appendNumber(loadRevision)},
	} {
		if err := w.add(systemStream, e.key, e.value); err != nil {
			return err
		}
	}
	if err := l.eachLoaded(func(r loaded) error { return l.writeRecord(w, r) }); err != nil {
		return err
	}
	if err := l.writeDerived(w); err != nil {
		return err
	}
	return w.flush()
}

// components is what follows the prefix in a record's key.
func (l *Loader) components(key []byte) []byte { return key[len(l.tenant)+2:] }

func (l *Loader) writeRecord(w *tableWriter, r loaded) error {
	switch r.op {
	case PutEntity:
		ref, err := wholeRef(l.components(r.key))
		if err != nil {
			return err
		}
		e, err := decodeEntity(ref, r.value)
		if err != nil {
			return err
		}
		if err := deriveLoaded(l, e, entityIndexes, entityLinks); err != nil {
			return err
		}
	case PutGrant:
		id, err := wholeComponent(l.components(r.key))
		if err != nil {
			return err
		}
		g, err := decodeGrant(id, r.value)
		if err != nil {
			return err
		}
		if l.deletedSince(g, r.sequence) {
			return nil
		}
		if err := deriveLoaded(l, g, grantIndexes, grantLinks); err != nil {
			return err
		}
	default:
		return nil
	}
	return w.add(recordStream, r.key, r.value)
}

// deletedSince reports whether an entity that a grant names was deleted after
// the grant was put.
func (l *Loader) deletedSince(g authz.Grant, sequence uint64) bool {
	for ref := range grantLinks(l.tenant, g) {
		if l.deleted[ref] > sequence {
			return true
		}
	}
	return false
}

func deriveLoaded[Record any](l *Loader, r Record, indexes []index[Record], links func(string, Record) iter.Seq2[authz.EntityRef, Links]) error {
	for _, x := range indexes {
		for e := range x.entries(l.tenant, r) {
			if err := l.derived.add(e.key, e.value); err != nil {
				return err
			}
		}
	}
	for ref, n := range links(l.tenant, r) {
		l.value = appendLinks(l.value[:0], n)
		if err := l.derived.add(refKey(l.tenant, spaceLinks, ref), l.value); err != nil {
			return err
		}
	}
	return nil
}

// writeDerived writes the index entries, and the sums of the links.
func (l *Loader) writeDerived(w *tableWriter) error {
	linksPrefix := prefix(l.tenant, spaceLinks)
	var of []byte // the key that sum belongs to; nil before the first
	var sum Links
	writeSum := func() error {
		if of == nil {
			return nil
		}
		return w.add(derivedStream, of, appendLinks(nil, sum))
	}
	err := l.derived.each(func(key, value []byte) error {
		if bytes.HasPrefix(key, linksPrefix) {
			links, err := decodeLinks(value)
			if err != nil {
				return err
			}
			if bytes.Equal(of, key) {
				sum = sum.plus(links)
				return nil
			}
			err = writeSum()
			of, sum = bytes.Clone(key), links
			return err
		}
		if of != nil {
			if err := writeSum(); err != nil {
				return err
			}
			of = nil
		}
		return w.add(derivedStream, key, value)
	})
	if err != nil {
		return err
	}
	return writeSum()
}

// maxTableBuffer is how much is handed to Badger at once.
const maxTableBuffer = 4 << 20

// A tableWriter hands keys to Badger's StreamWriter.
type tableWriter struct {
	writer  *badger.StreamWriter
	disk    disk
	buffer  *z.Buffer
	written int64 // bytes handed to the writer
	done    bool
}

func newTableWriter(db *badger.DB, d disk) *tableWriter {
	return &tableWriter{writer: db.NewStreamWriter(), disk: d, buffer: z.NewBuffer(maxTableBuffer+maxTableBuffer/4, "load")}
}

func (w *tableWriter) add(stream uint32, key, value []byte) error {
	return w.addVersion(context.Background(), &pb.KV{Key: key, Value: seal(key, loadRevision, value), Version: loadRevision, StreamId: stream})
}

// addVersion adds what may be of any revision, sealed. It ends with the context where
// it hands over.
func (w *tableWriter) addVersion(ctx context.Context, kv *pb.KV) error {
	badger.KVToBuffer(kv, w.buffer)
	if w.buffer.LenNoPadding() < maxTableBuffer {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.handOver()
}

func (w *tableWriter) handOver() error {
	w.written += int64(w.buffer.LenNoPadding())
	// Meanwhile a sorter may write a run.
	if err := w.disk.expectRoom(openReserveBytes + maxRunBytes + min(w.written, maxLoadingBytes)); err != nil {
		return err
	}
	err := w.writer.Write(w.buffer)
	w.buffer.Reset()
	return err
}

func (w *tableWriter) flush() error {
	if err := w.handOver(); err != nil {
		return err
	}
	w.done = true
	return w.writer.Flush()
}

// close ends the writer if it was not flushed.
func (w *tableWriter) close() {
	if !w.done {
		w.writer.Cancel()
	}
	_ = w.buffer.Release() // of memory, which cannot fail
}
