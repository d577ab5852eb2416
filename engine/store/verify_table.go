package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"google.golang.org/protobuf/proto"
)

// A table ends with an index of its blocks, which lie in front one behind the
// other. Index and blocks each end with a checksum and its length.

// maxVerifyBuffer is how much of a file is read at once: some 100 µs of work.
const maxVerifyBuffer = 256 << 10

// lengthSize is that of a length in a table.
const lengthSize = 4

// verifyTable verifies a table, and tells the highest revision in it. It rests before
// each reading of the file.
func verifyTable(path string, rest func() error) (highest uint64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, damagedFile(path, err)
	}
	defer file.Close()
	stat, err := file.Stat()
	if err == nil {
		highest, err = verifyTableIn(restful{file, rest}, stat.Size())
	}
	if interrupted, ok := errors.AsType[*interruption](err); ok {
		return 0, interrupted.cause
	}
	if err != nil {
		return 0, damagedFile(path, err)
	}
	return highest, nil
}

// A restful file rests before it is read.
type restful struct {
	file io.ReaderAt
	rest func() error
}

// ReadAt reads the file; an error of the rest is an interruption.
func (r restful) ReadAt(p []byte, at int64) (int, error) {
	if err := r.rest(); err != nil {
		return 0, &interruption{err}
	}
	return r.file.ReadAt(p, at)
}

// An interruption is why a file was not read to its end, which is no damage.
type interruption struct{ cause error }

func (i *interruption) Error() string { return i.cause.Error() }

// verifyTableIn verifies the table that something of a size is.
func verifyTableIn(file io.ReaderAt, size int64) (highest uint64, err error) {
	defer func() {
		// Whoever reads the index takes it to be whole, and its checksum may be right by
		// chance, as that of nothing is zero.
		if recover() != nil {
			err = errors.New("its index cannot be read")
		}
	}()
	index, err := readTableIndex(file, size)
	if err != nil {
		return 0, err
	}
	if index.OffsetsLength() == 0 {
		return 0, errors.New("its index has no blocks")
	}
	from := bufio.NewReaderSize(io.NewSectionReader(file, 0, size), int(min(size, maxVerifyBuffer)))
	return index.MaxVersion(), verifyBlocks(from, size, index)
}

// readTableIndex reads the index at the end of a table.
func readTableIndex(file io.ReaderAt, end int64) (*fb.TableIndex, error) {
	index, _, err := readTableIndexBytes(file, end)
	if err != nil {
		return nil, err
	}
	return fb.GetRootAsTableIndex(index, 0), nil
}

// readTableIndexBytes reads the index and where it begins: a table ends with its
// bytes, their length, their checksum and the length of that.
func readTableIndexBytes(file io.ReaderAt, end int64) (index []byte, at int64, err error) {
	back := func(size int64) ([]byte, error) {
		if end -= size; size < 0 || end < 0 {
			return nil, errShortFile
		}
		return readAt(file, end, int(size))
	}
	part := func() ([]byte, error) {
		length, err := back(lengthSize)
		if err != nil {
			return nil, err
		}
		return back(int64(binary.BigEndian.Uint32(length)))
	}
	sum, err := part()
	if err != nil {
		return nil, 0, fmt.Errorf("the checksum of its index: %w", err)
	}
	if index, err = part(); err != nil {
		return nil, 0, fmt.Errorf("its index: %w", err)
	}
	if err := verifySum(index, sum); err != nil {
		return nil, 0, fmt.Errorf("its index: %w", err)
	}
	return index, end, nil
}

// verifyBlocks reads all blocks of a table, each of which ends with its checksum
// and the length of that.
func verifyBlocks(from io.Reader, size int64, index *fb.TableIndex) error {
	var at uint32
	var buffer []byte
	for i := range index.OffsetsLength() {
		var offset fb.BlockOffset
		if !index.Offsets(&offset, i) || offset.Offset() != at {
			return fmt.Errorf("its index does not tell where block %d is", i)
		}
		if int64(at)+int64(offset.Len()) > size {
			return fmt.Errorf("block %d: %w", i, errShortFile)
		}
		at += offset.Len()
		buffer = append(buffer[:0], make([]byte, offset.Len())...)
		if _, err := io.ReadFull(from, buffer); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errShortFile
			}
			return fmt.Errorf("block %d: %w", i, err)
		}
		if err := verifyBlock(buffer); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
	}
	return nil
}

func verifyBlock(block []byte) error {
	end := len(block) - lengthSize
	if end <= 0 {
		return errShortFile
	}
	length := int64(binary.BigEndian.Uint32(block[end:]))
	if length > int64(end) {
		return errSeal
	}
	split := end - int(length)
	return verifySum(block[:split], block[split:end])
}

// verifySum verifies data by its checksum, which Badger writes as a message.
func verifySum(data, message []byte) error {
	var sum pb.Checksum
	if err := proto.Unmarshal(message, &sum); err != nil {
		return errSeal
	}
	if sum.GetAlgo() != pb.Checksum_CRC32C || sum.GetSum() != uint64(crc32.Checksum(data, castagnoli)) {
		return errSeal
	}
	return nil
}
