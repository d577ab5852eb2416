package store

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
)

// maxRunBytes is how much a sorter holds in memory before it writes a run.
const maxRunBytes = 24 << 20

// A sorter sorts keys with values that do not fit into memory: it writes
// sorted runs to files, and merges them.
type sorter struct {
	dir   string
	text  []byte
	items []sorterItem
	runs  []string // paths of the files
}

// A sorterItem is where a key and its value lie in the sorter's text.
type sorterItem struct {
	start, value, end int
}

func (s *sorter) key(i sorterItem) []byte { return s.text[i.start:i.value] }

// add adds a key and a value, which it copies.
func (s *sorter) add(key, value []byte) error {
	if len(s.text)+len(key)+len(value) > maxRunBytes && len(s.items) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	if s.text == nil {
		s.text = make([]byte, 0, maxRunBytes)
	}
	start := len(s.text)
	s.text = append(s.text, key...)
	s.text = append(s.text, value...)
	s.items = append(s.items, sorterItem{start, start + len(key), len(s.text)})
	return nil
}

func (s *sorter) sort() {
	compare := func(a, b sorterItem) int { return bytes.Compare(s.key(a), s.key(b)) }
	if !slices.IsSortedFunc(s.items, compare) { // an export is sorted
		slices.SortStableFunc(s.items, compare)
	}
}

// spill writes what is in memory as a run.
func (s *sorter) spill() (err error) {
	s.sort()
	file, err := os.CreateTemp(s.dir, "sort-*")
	if err != nil {
		return fmt.Errorf("sorting: %w", err)
	}
	defer func() {
		if e := file.Close(); err == nil && e != nil {
			err = fmt.Errorf("sorting: %w", e)
		}
	}()
	s.runs = append(s.runs, file.Name())
	w := bufio.NewWriterSize(file, 1<<20)
	var head []byte
	for _, item := range s.items {
		head = binary.AppendUvarint(head[:0], uint64(item.value-item.start))
		head = binary.AppendUvarint(head, uint64(item.end-item.value))
		if _, err := w.Write(head); err != nil {
			return fmt.Errorf("sorting: %w", err)
		}
		if _, err := w.Write(s.text[item.start:item.end]); err != nil {
			return fmt.Errorf("sorting: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sorting: %w", err)
	}
	s.text, s.items = s.text[:0], s.items[:0]
	return nil
}

// each visits all keys in order, equal ones in the order in which they were
// added. It can be called again. Key and value are the visit's while it runs.
func (s *sorter) each(visit func(key, value []byte) error) error {
	if len(s.runs) > 0 && len(s.items) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
		s.text, s.items = nil, nil
	}
	if len(s.runs) == 0 {
		s.sort()
		for _, item := range s.items {
			if err := visit(s.key(item), s.text[item.value:item.end]); err != nil {
				return err
			}
		}
		return nil
	}
	var merged runHeap
	defer func() {
		for _, run := range merged {
			run.file.Close()
		}
	}()
	for i, run := range s.runs {
		file, err := os.Open(run)
		if err != nil {
			return fmt.Errorf("sorting: %w", err)
		}
		r := &runReader{order: i, file: file, r: bufio.NewReaderSize(file, 256<<10)}
		merged = append(merged, r)
		if err := r.next(); err != nil {
			return err
		}
	}
	heap.Init(&merged)
	for len(merged) > 0 {
		run := merged[0]
		if err := visit(run.key, run.value); err != nil {
			return err
		}
		switch err := run.next(); err {
		case nil:
			heap.Fix(&merged, 0)
		case io.EOF:
			run.file.Close()
			heap.Pop(&merged)
		default:
			return err
		}
	}
	return nil
}

// remove deletes the sorter's files.
func (s *sorter) remove() {
	for _, run := range s.runs {
		os.Remove(run)
	}
	*s = sorter{dir: s.dir}
}

// A runReader reads a run from its file.
type runReader struct {
	order      int
	file       *os.File
	r          *bufio.Reader
	buf        []byte
	key, value []byte
}

func (r *runReader) next() error {
	keySize, err := binary.ReadUvarint(r.r)
	if err != nil {
		return err // io.EOF between two keys
	}
	valueSize, err := binary.ReadUvarint(r.r)
	if err != nil {
		return fmt.Errorf("sorting: %w", io.ErrUnexpectedEOF)
	}
	r.buf = slices.Grow(r.buf[:0], int(keySize+valueSize))[:keySize+valueSize]
	if _, err := io.ReadFull(r.r, r.buf); err != nil {
		return fmt.Errorf("sorting: %w", err)
	}
	r.key, r.value = r.buf[:keySize], r.buf[keySize:]
	return nil
}

// A runHeap has the run with the least key first.
type runHeap []*runReader

func (h runHeap) Len() int { return len(h) }
func (h runHeap) Less(i, j int) bool {
	if c := bytes.Compare(h[i].key, h[j].key); c != 0 {
		return c < 0
	}
	return h[i].order < h[j].order
}
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)   { *h = append(*h, x.(*runReader)) }
func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
