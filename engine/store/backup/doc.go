// Package backup is the form of a backup: what a store writes out of itself, and
// what one is made of again. It knows neither Badger nor what a key means.
//
// # Form
//
// A backup is a magic line, then frames, then nothing. A frame is the length of
// its payload (four bytes, big-endian), its kind (one byte), the payload, and a
// SHA-256 of the checksum before it, the length, the kind and the payload. So
// each frame vouches for all before it: a byte that was changed, a frame that is
// gone or stands elsewhere, is found at the frame in question, before any of its
// content is used.
//
// The first frame is the header, as JSON: which revisions the backup holds. The
// last is the trailer, as JSON: how much there was. A backup without one was cut
// off, and is refused. Those between hold versions of keys, in the order of
// keys, the newest version of a key first; a key says how much of the one before
// it in its frame it begins with.
//
// The checksums are against accidents. Who can write a backup can make them
// right as well: that nobody else can is up to where it is kept.
//
// # What a backup holds
//
// A full backup, from revision 0, holds what can be read at the revisions from
// its floor to its last: of each key the versions above the floor, and the last
// one at or below it. An incremental holds all versions after the last revision
// of the backup that it goes on from, deletions included. Both follow from what
// can be read alone, and not from what happens to lie on disk: a backup of a
// restored store is the same, byte for byte.
//
// Start with Header, Writer and Reader; Merge puts several together.
package backup
