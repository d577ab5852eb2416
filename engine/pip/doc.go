// Package pip is what a policy sees of the directory at one revision (XACML's
// policy information point): entities with their attributes, and with what
// follows from the graph above them. What it decodes and derives it keeps in a
// Cache, bounded in bytes and shared by all decisions.
//
// It knows neither where the directory is kept nor what a policy does with an
// entity. Start with Reader, then Cache.
//
// # Why a read never mixes revisions
//
// A Reader is pinned to a Snapshot at revision S. What it returns is the state
// at S, whether it comes from the snapshot or from the cache. The argument
// rests on three things that the directory promises:
//
//   - Invalidate(c, changed) has returned for every commit c, with every entity
//     whose record or own grants it changed, before a snapshot at c or later
//     can be taken.
//   - A snapshot whose Epoch is known, that is not 0, is not older than the
//     cache: every commit after it is one that the cache has been or will be
//     told of.
//   - Epoch changes with every change of what stands above something else: of
//     an edge, a grant or an attribute there, or of a grant to the root. Two
//     snapshots of one known epoch agree on all proper ancestors of every
//     entity that is the same in both.
//
// An entry is what a reader loaded of one entity at its revision R. It is put
// into the cache only if R's epoch is known and no commit after R has touched
// the entry's stripe, both under the stripe's lock, under which Invalidate
// notes its commit and deletes. Hence:
//
//  1. An entity in the cache was not changed by any commit in (R, S], for any
//     snapshot S >= R that exists when it is looked up: the cache was told of
//     such a commit before; had that been after the entry was put, it would
//     have deleted it, and had it been before, the entry would have been
//     refused.
//  2. A reader at S < R does not use the entry; it loads its own. So whoever
//     holds an entry is pinned within [R, the entity's next change), where the
//     record and the own grants are constant. What is decoded or read later on
//     behalf of an entry is therefore the same for all its holders, and may be
//     remembered in it.
//  3. What is derived from ancestors is remembered in the entry together with
//     the epoch of the reader that computed it, and used by readers of the same
//     epoch. By 2 they agree on the entity itself, and by the third promise on
//     everything above it.
//     What is remembered in a parent's entry may be a part of it: the parent,
//     too, was read by a reader of that epoch.
//  4. A reader of an unknown epoch uses entries by 1, puts none, and neither
//     uses nor leaves anything derived.
package pip
