package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"go.uber.org/zap"
)

// Badger takes a block that it cannot read for one that has no more keys, also where
// it is told to verify blocks. So what is not found, or found as it was in an older
// revision, could have been damaged: a suspension that is not seen, or a grant that was
// deleted. The seal of a record tells only of a record that is found. So the blocks in
// which a key would be are verified beside each read, by an index of each table that
// was verified itself and is no longer read from the disk.
//
// The guard looks every guardEvery which tables there are. One that was written since
// is read without it: its bytes come from memory still. Of one that was merged away
// Badger cuts off the file before it removes it, so that nothing is left to be verified.
const (
	guardEvery = time.Second
	// guardIndexes is how often, in looks, Badger's own indexes are verified, which it
	// reads through mapped memory.
	guardIndexes = 10
)

// A blockGuard verifies the blocks of a store's tables that reads come to.
type blockGuard struct {
	dir    string
	levels atomic.Pointer[[]guardedLevel]
	// unopened is how many tables there are that could not be opened, such as for want
	// of files, and which reads are not verified in.
	unopened atomic.Int64
}

// A guardedLevel has its tables in the order of their keys, and they do not overlap,
// but for those of level zero.
type guardedLevel struct {
	overlaps bool
	tables   []*guardedTable
}

type guardedTable struct {
	id          uint64
	left, right []byte // the first and the last key
	file        *os.File
	indexAt     int64
	indexBytes  []byte
	index       *fb.TableIndex // of those bytes
	blocks      int
	filter      y.Filter
}

// openGuardedTable opens a table, whose index has to be as it was written.
func openGuardedTable(dir string, info badger.TableInfo) (t *guardedTable, err error) {
	path := table.NewFilename(info.ID, dir)
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening a table: %w", err)
	}
	defer func() {
		if recover() != nil { // as in verifyTableIn
			err = damagedFile(path, errors.New("its index cannot be read"))
		}
		if err != nil {
			_ = file.Close() // it was only read
		}
	}()
	stat, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening a table: %w", err)
	}
	t = &guardedTable{id: info.ID, left: info.Left, right: info.Right, file: file}
	if t.indexBytes, t.indexAt, err = readTableIndexBytes(file, stat.Size()); err != nil {
		return nil, damagedFile(path, err)
	}
	t.index = fb.GetRootAsTableIndex(t.indexBytes, 0)
	t.blocks, t.filter = t.index.OffsetsLength(), t.index.BloomFilterBytes()
	var block fb.BlockOffset
	for i := range t.blocks {
		if !t.index.Offsets(&block, i) || int64(block.Offset())+int64(block.Len()) > t.indexAt || block.KeyLength() < versionSize {
			return nil, damagedFile(path, fmt.Errorf("its index does not tell where block %d is", i))
		}
	}
	return t, nil
}

// follow takes notice of the tables that there are now. Has tells whether one still is.
func (g *blockGuard) follow(infos []badger.TableInfo, has func(id uint64) bool) (failures []error) {
	before := make(map[uint64]*guardedTable)
	if levels := g.levels.Load(); levels != nil {
		for _, level := range *levels {
			for _, t := range level.tables {
				before[t.id] = t
			}
		}
	}
	var levels []guardedLevel
	unopened := 0
	for _, info := range infos {
		t := before[info.ID]
		delete(before, info.ID)
		if t == nil {
			var err error
			if t, err = openGuardedTable(g.dir, info); err != nil {
				if has(info.ID) {
					failures = append(failures, err)
					unopened++
				}
				continue
			}
		}
		for len(levels) <= info.Level {
			levels = append(levels, guardedLevel{overlaps: len(levels) == 0})
		}
		levels[info.Level].tables = append(levels[info.Level].tables, t)
	}
	for _, level := range levels {
		slices.SortFunc(level.tables, func(a, b *guardedTable) int { return y.CompareKeys(a.left, b.left) })
	}
	g.levels.Store(&levels)
	g.unopened.Store(int64(unopened))
	for _, t := range before {
		if err := t.file.Close(); err != nil {
			failures = append(failures, err)
		}
	}
	return failures
}

// verifyIndexes verifies that the indexes on disk are as they were.
func (g *blockGuard) verifyIndexes() error {
	buffer := guardBuffers.Get().(*[]byte)
	defer guardBuffers.Put(buffer)
	for t := range g.all {
		*buffer = slices.Grow((*buffer)[:0], maxVerifyBuffer)[:maxVerifyBuffer]
		for at := 0; at < len(t.indexBytes); at += maxVerifyBuffer {
			expected := t.indexBytes[at:min(len(t.indexBytes), at+maxVerifyBuffer)]
			part := (*buffer)[:len(expected)]
			switch _, err := t.file.ReadAt(part, t.indexAt+int64(at)); {
			case isGone(err):
				continue
			case err != nil:
				return damagedFile(t.file.Name(), err)
			}
			if !bytes.Equal(part, expected) {
				return damagedFile(t.file.Name(), fmt.Errorf("its index: %w", errSeal))
			}
		}
	}
	return nil
}

// all are the tables.
func (g *blockGuard) all(yield func(*guardedTable) bool) {
	levels := g.levels.Load()
	if levels == nil {
		return
	}
	for _, level := range *levels {
		for _, t := range level.tables {
			if !yield(t) {
				return
			}
		}
	}
}

// close closes the tables.
func (g *blockGuard) close() error {
	var failures []error
	for t := range g.all {
		failures = append(failures, t.file.Close())
	}
	g.levels.Store(nil)
	return errors.Join(failures...)
}

// verifyKey verifies the blocks in which a key would be at a revision. The key has
// that behind it, as y.KeyWithTs makes it.
func (g *blockGuard) verifyKey(key []byte) error {
	hash := y.Hash(y.ParseKey(key))
	return g.eachTable(key, key, func(t *guardedTable) error {
		if len(t.filter) > 0 && !t.filter.MayContain(hash) {
			return nil
		}
		next := t.blockAfter(key)
		if next > 0 {
			if err := t.verify(next - 1); err != nil {
				return err
			}
		}
		// An older version of the key may begin the block behind.
		if next < t.blocks && y.SameKey(key, t.firstKey(next)) {
			return t.verify(next)
		}
		return nil
	})
}

// verifyRange verifies all blocks in which keys of a range would be. Both have a
// revision behind them.
func (g *blockGuard) verifyRange(from, to []byte) error {
	return g.eachTable(from, to, func(t *guardedTable) error {
		end := t.blockAfter(to)
		for i := max(0, t.blockAfter(from)-1); i < end; i++ {
			if err := t.verify(i); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachTable visits the tables which a range of keys reaches into. Versions of a key
// may be in two of one level.
func (g *blockGuard) eachTable(from, to []byte, visit func(*guardedTable) error) error {
	levels := g.levels.Load()
	if levels == nil {
		return nil
	}
	// Of one key, the oldest version comes last.
	last := y.KeyWithTs(y.ParseKey(to), 0)
	for _, level := range *levels {
		tables := level.tables
		if !level.overlaps {
			tables = tables[sort.Search(len(tables), func(i int) bool { return y.CompareKeys(tables[i].right, from) >= 0 }):]
		}
		for _, t := range tables {
			if y.CompareKeys(t.left, last) > 0 {
				break
			}
			if y.CompareKeys(t.right, from) < 0 {
				continue
			}
			if err := visit(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// blockAfter is the first block whose keys come all after one.
func (t *guardedTable) blockAfter(key []byte) int {
	var block fb.BlockOffset
	return sort.Search(t.blocks, func(i int) bool {
		t.index.Offsets(&block, i)
		return y.CompareKeys(block.KeyBytes(), key) > 0
	})
}

func (t *guardedTable) firstKey(i int) []byte {
	var block fb.BlockOffset
	t.index.Offsets(&block, i)
	return block.KeyBytes()
}

// guardBuffers have room for a block.
var guardBuffers = sync.Pool{New: func() any { return new([]byte) }}

// verify verifies a block.
func (t *guardedTable) verify(i int) error {
	var block fb.BlockOffset
	t.index.Offsets(&block, i)
	buffer := guardBuffers.Get().(*[]byte)
	defer guardBuffers.Put(buffer)
	size := int(block.Len())
	*buffer = slices.Grow((*buffer)[:0], size)[:size]
	_, err := t.file.ReadAt(*buffer, int64(block.Offset()))
	switch {
	case isGone(err):
		return nil
	case err == nil:
		err = verifyBlock(*buffer)
	}
	if err != nil {
		return damagedFile(t.file.Name(), fmt.Errorf("block %d: %w", i, err))
	}
	return nil
}

// isGone reports whether an error is that of a table that was merged away. It is that
// of a file which was cut off for another reason as well, and reading that through
// mapped memory ends the process.
func isGone(err error) bool { return errors.Is(err, os.ErrClosed) || errors.Is(err, io.EOF) }

// guarding follows the tables until the store is closed.
func (s *Store) guarding() {
	ticker := time.NewTicker(guardEvery)
	defer ticker.Stop()
	for look := 1; ; look++ {
		select {
		case <-s.closing:
			return
		case <-ticker.C:
		}
		s.guardOnce(look%guardIndexes == 0)
	}
}

// guardOnce looks which tables there are.
func (s *Store) guardOnce(indexes bool) {
	before := s.blocks.unopened.Load()
	failures := s.blocks.follow(s.db.Tables(), s.hasTable)
	if indexes {
		failures = append(failures, s.blocks.verifyIndexes())
	}
	var unopened error
	for _, err := range failures {
		switch {
		case err == nil:
		case isDamage(err):
			s.noteDamage(err)
		default:
			unopened = cmp.Or(unopened, err)
		}
	}
	switch tables := s.blocks.unopened.Load(); {
	case before == 0 && tables > 0:
		s.options.Logger.Warn("reads are not verified in tables that cannot be opened: raise the limit of open files", zap.Int64("tables", tables), zap.Error(unopened))
	case before > 0 && tables == 0:
		s.options.Logger.Info("reads are verified in all tables again")
	}
}

// Unverified is how many tables reads are not verified in, since the process has too many
// files open for a second one of each. They are tried again each second.
func (s *Store) Unverified() int { return int(s.blocks.unopened.Load()) }
