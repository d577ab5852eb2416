package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
)

var header = Header{
	StoreFormat: 2, To: 9, Floor: 3, Tip: "tip",
	Time: time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC), Tenants: []string{"customers", "workforce"},
}

// set and gone are versions of a key.
func set(key string, revision uint64, value string) Version {
	return Version{Key: []byte(key), Revision: revision, Value: []byte(value)}
}

func gone(key string, revision uint64) Version {
	return Version{Key: []byte(key), Revision: revision, Deleted: true}
}

// made is a backup of versions, some to a frame.
func made(t testing.TB, h Header, perFrame int, versions ...Version) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range versions {
		w.Add(v)
		if (i+1)%perFrame == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read reads a backup to its end.
func read(from io.Reader) (h Header, versions []Version, err error) {
	r, err := NewReader(from)
	if err != nil {
		return h, nil, err
	}
	for {
		v, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Header(), versions, nil
		}
		if err != nil {
			return r.Header(), versions, err
		}
		v.Key, v.Value = bytes.Clone(v.Key), bytes.Clone(v.Value)
		versions = append(versions, v)
	}
}

// some are versions that share parts of keys, with every kind of value.
func some() []Version {
	return []Version{
		set("a", 9, ""), gone("a", 7), set("a", 2, "old"),
		set("ab", 1, strings.Repeat("x", 3000)), gone("abc", 4), set("b", 9, "\x00\xff"), set("b", 8, "b"),
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for perFrame := 1; perFrame <= len(some()); perFrame++ {
		t.Run(fmt.Sprintf("%d to a frame", perFrame), func(t *testing.T) {
			h, versions, err := read(bytes.NewReader(made(t, header, perFrame, some()...)))
			if err != nil {
				t.Fatal(err)
			}
			want := header
			want.Format = format
			if diff := cmp.Diff(want, h); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(some(), versions); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSizeIsThatOfTheWhole(t *testing.T) {
	whole := made(t, header, 2, some()...)
	r, err := NewReader(bytes.NewReader(whole))
	for err == nil {
		_, err = r.Next()
	}
	if !errors.Is(err, io.EOF) || r.Size() != uint64(len(whole)) {
		t.Errorf("%v, and the size is %d: expected %d", err, r.Size(), len(whole))
	}
}

func TestAFrameIsFull(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, header)
	if err != nil {
		t.Fatal(err)
	}
	before := b.Len()
	if w.Add(set("a", 1, strings.Repeat("x", frameBytes/2))) {
		t.Error("a frame is full at half its size")
	}
	if !w.Add(set("b", 1, strings.Repeat("x", frameBytes/2))) {
		t.Error("a frame is not full at its size")
	}
	if b.Len() != before {
		t.Error("something was written before the frame was flushed")
	}
}

// TestEveryFlippedByteIsFound flips each byte of a backup, each in two ways.
func TestEveryFlippedByteIsFound(t *testing.T) {
	whole := made(t, header, 2, some()...)
	for at := range whole {
		for _, flip := range []byte{0x01, 0x80} {
			damaged := bytes.Clone(whole)
			damaged[at] ^= flip
			_, _, err := read(bytes.NewReader(damaged))
			if kind := authz.KindOf(err); kind != authz.Invalid {
				t.Fatalf("byte %d of %d flipped by %#x: %v", at, len(whole), flip, err)
			}
		}
	}
}

// TestEveryCutIsFound cuts a backup off after each of its bytes.
func TestEveryCutIsFound(t *testing.T) {
	whole := made(t, header, 2, some()...)
	for size := range whole {
		_, _, err := read(bytes.NewReader(whole[:size]))
		if kind := authz.KindOf(err); kind != authz.Invalid {
			t.Fatalf("cut off after %d of %d bytes: %v", size, len(whole), err)
		}
		if size >= len(magic) && !strings.Contains(err.Error(), "it was cut off") {
			t.Fatalf("cut off after %d of %d bytes, the error says %v", size, len(whole), err)
		}
	}
}

// TestFramesVouchForThoseBefore takes whole frames away, and swaps them.
func TestFramesVouchForThoseBefore(t *testing.T) {
	whole := made(t, header, 1, some()...)
	var frames [][]byte
	r, err := NewReader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	start := r.Trailer().Bytes
	for err == nil {
		begin := r.Trailer().Bytes
		if _, err = r.Next(); err == nil {
			frames = append(frames, whole[begin:r.Trailer().Bytes])
		}
	}
	trailer := whole[r.Trailer().Bytes:]
	if len(frames) != len(some()) {
		t.Fatalf("%d frames, expected %d", len(frames), len(some()))
	}
	join := func(frames ...[]byte) []byte {
		return append(append(bytes.Clone(whole[:start]), bytes.Join(frames, nil)...), trailer...)
	}
	if _, _, err := read(bytes.NewReader(join(frames...))); err != nil {
		t.Fatalf("put together again: %v", err)
	}
	for name, without := range map[string][]byte{
		"the first gone": join(frames[1:]...),
		"the last gone":  join(frames[:len(frames)-1]...),
		"one in between": join(append(frames[:2:2], frames[3:]...)...),
		"two swapped":    join(append([][]byte{frames[1], frames[0]}, frames[2:]...)...),
		"one twice":      join(append([][]byte{frames[0]}, frames...)...),
	} {
		if _, _, err := read(bytes.NewReader(without)); authz.KindOf(err) != authz.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, more := range map[string][]byte{"two backups": whole, "a byte behind it": {0}} {
		_, versions, err := read(bytes.NewReader(append(bytes.Clone(whole), more...)))
		if authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), "something follows its trailer") || len(versions) != len(some()) {
			t.Errorf("%s: %d versions, and %v", name, len(versions), err)
		}
	}
}

// TestWhatIsRefused has checksums that are right over what is not.
func TestWhatIsRefused(t *testing.T) {
	one := func(v Version) []byte { return made(t, header, 1, v) }
	incremental := header
	incremental.From, incremental.Base = 5, "base"
	with := func(change func(*Header)) []byte {
		h := header
		change(&h)
		return made(t, h, 1)
	}
	tests := []struct {
		name   string
		backup []byte
		want   string
		kind   authz.Kind
	}{
		{"nothing", nil, "this is no backup", authz.Invalid},
		{"another file", []byte("{\"entity\": {\"type\": \"user\"}}\n"), "this is no backup: it begins with", authz.Invalid},
		{"no header", sealed(frame{versionFrame, []byte("x")}), "it begins with a frame of kind 'V'", authz.Invalid},
		{"a header that is none", sealed(frame{headerFrame, []byte("{}")}), "has format 0, and this program reads format 1", authz.FailedPrecondition},
		{"a later format", sealed(frame{headerFrame, []byte(`{"format":2,"compression":"zstd"}`)}), "has format 2, and this program reads format 1: restore it with the program that made it", authz.FailedPrecondition},
		{"an unknown member", sealed(frame{headerFrame, []byte(`{"format":1,"compression":"zstd"}`)}), "unknown field", authz.Invalid},
		{"something behind the header", sealed(frame{headerFrame, []byte(`{"format":1} {}`)}), "something follows its content", authz.Invalid},
		{"two headers", sealed(frame{headerFrame, []byte(`{"format":1}`)}, frame{headerFrame, []byte(`{"format":1}`)}), "frame 2 is of kind 'H'", authz.Invalid},
		{"an empty frame", sealed(frame{headerFrame, []byte(`{"format":1}`)}, frame{versionFrame, nil}), "frame 2 is of kind 'V' with 0 bytes", authz.Invalid},
		{"a key that ends early", sealed(frame{headerFrame, []byte(`{"format":1}`)}, frame{versionFrame, []byte{0, 10, 'a'}}), "it ends within a version", authz.Invalid},
		{"a value that ends early", sealed(frame{headerFrame, []byte(`{"format":1}`)}, frame{versionFrame, []byte{0, 1, 'a', 1, 10, 'x'}}), "it ends within a version", authz.Invalid},
		{"a trailer that tells of more", sealed(frame{headerFrame, []byte(`{"format":1}`)}, frame{trailerFrame, []byte(`{"frames":1,"versions":1}`)}), "its trailer tells of", authz.Invalid},
		{"a frame that is too long", append([]byte(magic), 0x7f, 0xff, 0xff, 0xff, headerFrame), "at most 8388608 are possible", authz.Invalid},
		{"from beyond to", with(func(h *Header) { h.From = 10 }), "its header has revisions 10 to 9", authz.Invalid},
		{"a floor beyond to", with(func(h *Header) { h.Floor = 10 }), "floor 10", authz.Invalid},
		{"a floor beyond from", with(func(h *Header) { h.From, h.Floor = 2, 3 }), "floor 3", authz.Invalid},
		{"an empty key", one(set("", 1, "")), "which is not in the backup", authz.Invalid},
		{"revision 0", one(set("a", 0, "")), "which is not in the backup", authz.Invalid},
		{"a revision after the last", one(set("a", 10, "")), "which is not in the backup", authz.Invalid},
		{"a revision before the first", made(t, incremental, 1, set("a", 5, "")), "which is not in the backup", authz.Invalid},
		{"keys out of order", made(t, header, 2, set("b", 1, ""), set("a", 1, "")), "out of order", authz.Invalid},
		{"keys out of order across frames", made(t, header, 1, set("b", 1, ""), set("a", 1, "")), "out of order", authz.Invalid},
		{"revisions out of order", made(t, header, 2, set("a", 1, ""), set("a", 2, "")), "out of order", authz.Invalid},
		{"a version twice", made(t, header, 1, set("a", 1, ""), set("a", 1, "")), "out of order", authz.Invalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := read(bytes.NewReader(test.backup))
			if err == nil || !strings.Contains(err.Error(), test.want) || authz.KindOf(err) != test.kind {
				t.Errorf("got %v of kind %v, want one of kind %v with %q", err, authz.KindOf(err), test.kind, test.want)
			}
		})
	}
}

// A frame is one that a test makes up.
type frame struct {
	kind    byte
	payload []byte
}

// sealed are frames with right lengths and checksums.
func sealed(frames ...frame) []byte {
	var b bytes.Buffer
	w := &Writer{w: &b, chain: begun()}
	_ = w.write([]byte(magic))
	for _, f := range frames {
		w.frame = append(make([]byte, prefixBytes), f.payload...)
		_ = w.writeFrame(f.kind) // to memory
	}
	return b.Bytes()
}

func TestErrorsOfTheSourceAreTold(t *testing.T) {
	whole := made(t, header, 2, some()...)
	broken := errors.New("the disk is gone")
	for size := range whole {
		_, _, err := read(io.MultiReader(bytes.NewReader(whole[:size]), failing{broken}))
		if !errors.Is(err, broken) {
			t.Fatalf("failing after %d of %d bytes: %v", size, len(whole), err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestErrorsOfTheTargetAreTold(t *testing.T) {
	broken := errors.New("the pipe is closed")
	if _, err := NewWriter(failing{broken}, header); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestMerge(t *testing.T) {
	full := []Version{set("a", 4, "a4"), set("a", 2, "a2"), set("b", 3, "b3"), set("c", 1, "c1"), set("d", 1, "d1")}
	first := []Version{set("a", 6, "a6"), gone("b", 5), set("bb", 5, "bb5")}
	second := []Version{gone("a", 8), set("b", 9, "b9"), gone("d", 7)}
	tests := []struct {
		floor uint64
		want  []Version
	}{
		{0, []Version{gone("a", 8), set("a", 6, "a6"), set("a", 4, "a4"), set("a", 2, "a2"), set("b", 9, "b9"), gone("b", 5), set("b", 3, "b3"), set("bb", 5, "bb5"), set("c", 1, "c1"), gone("d", 7), set("d", 1, "d1")}},
		{4, []Version{gone("a", 8), set("a", 6, "a6"), set("a", 4, "a4"), set("b", 9, "b9"), gone("b", 5), set("b", 3, "b3"), set("bb", 5, "bb5"), set("c", 1, "c1"), gone("d", 7), set("d", 1, "d1")}},
		{5, []Version{gone("a", 8), set("a", 6, "a6"), set("a", 4, "a4"), set("b", 9, "b9"), set("bb", 5, "bb5"), set("c", 1, "c1"), gone("d", 7), set("d", 1, "d1")}},
		{9, []Version{set("b", 9, "b9"), set("bb", 5, "bb5"), set("c", 1, "c1")}},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("floor %d", test.floor), func(t *testing.T) {
			var sources []Source
			for _, versions := range [][]Version{first, full, second} {
				r, err := NewReader(bytes.NewReader(made(t, header, 1, versions...)))
				if err != nil {
					t.Fatal(err)
				}
				sources = append(sources, r)
			}
			var got []Version
			if err := Merge(test.floor, func(v Version) error {
				v.Key, v.Value = bytes.Clone(v.Key), bytes.Clone(v.Value)
				got = append(got, v)
				return nil
			}, sources...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestChain(t *testing.T) {
	link := func(from, to uint64, base, tip string) Header {
		return Header{Format: format, StoreFormat: 2, From: from, To: to, Base: base, Tip: tip}
	}
	full, one, two := link(0, 5, "", "5a"), link(5, 7, "5a", "7a"), link(7, 9, "7a", "9a")
	upgraded := two
	upgraded.StoreFormat = 3 // as a program does that writes what it has read before in its own format
	tests := []struct {
		name   string
		chain  []Header
		refuse string // nothing if it is none
	}{
		{"one", []Header{full}, ""},
		{"in order", []Header{full, one, two}, ""},
		{"out of order", []Header{two, full, one}, ""},
		{"without a full one", []Header{two, one}, ""},
		{"with nothing written in between", []Header{full, link(5, 5, "5a", "5a"), one}, ""},
		{"the same, out of order", []Header{one, link(5, 5, "5a", "5a"), full}, ""},
		{"a gap", []Header{full, two}, "one ends with revision 5, and the next goes on from revision 7"},
		{"twice the same", []Header{full, one, one}, "a backup is missing"},
		{"another store", []Header{full, link(5, 7, "5b", "7b")}, "of different stores"},
		{"two full ones", []Header{full, link(0, 7, "", "7a")}, "two of the backups are full ones"},
		{"a later format of the store", []Header{full, one, upgraded}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var readers []*Reader
			for _, h := range test.chain {
				readers = append(readers, &Reader{header: h})
			}
			err := Chain(readers)
			switch {
			case test.refuse == "" && err != nil:
				t.Error(err)
			case test.refuse != "" && (authz.KindOf(err) != authz.FailedPrecondition || !strings.Contains(err.Error(), test.refuse)):
				t.Errorf("got %v, want %q", err, test.refuse)
			}
		})
	}
}
