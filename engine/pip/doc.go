// Package pip is what a policy sees of the directory at one revision (XACML's
// policy information point): entities with their attributes, and with what
// follows from the graph above them. What it decodes and derives it keeps in a
// Cache, bounded in bytes and shared by all decisions.
//
// It knows neither where the directory is kept nor what a policy does with an
// entity. Start with Reader, then entity's Lookup, then Cache.
//
// # What an entry holds, and why not an object
//
// A policy reads a few members of very many entities, so what is kept of an
// entity is what lets a key be looked up, and nothing that a look-up can do
// without. OPA's values are made where a policy wants one, and remembered.
//
//   - Attributes are the stored text, the places of their values in it, and a
//     shape: their names, shared by all entities that have the same ones. A
//     value is decoded when it is first asked for, and a text that many entities
//     have, such as a state, is one term for all of them.
//   - Ancestors and distances of what stands below one parent are found in the
//     parent's closure, which all that stand below it share. So are the grants
//     of what stands above; an entity keeps its own alone.
//   - A grant is made an object when a policy first sees it.
//   - A long array in attributes gets an index when a policy first asks whether
//     something is in it: of a thousand elements, it finds one two hundred times
//     as fast (BenchmarkContains).
//
// A user of ten attributes, with a grant, of which two attributes, an ancestor
// and the grants on a scope above are asked for, takes 1.1 KB of the heap,
// where the same as objects took 3.8 KB; with two attributes alone 0.8 KB and
// 2.0 KB (BenchmarkHeld). To read such a user into the cache costs half as much
// (BenchmarkCold). To look up a key that is there costs 20 to 40 ns and no
// allocation, beside 35 ns in an object of ten members, without what has to
// come first to have the object (BenchmarkLookup). So a compact representation
// buys memory and the first read; when all is warm it buys little more than
// fewer misses of the processor's caches.
//
// Not done, for it was not worth it: names and keys compared by identity, for
// which an evaluator would have to share its constants with this package. Of ten
// names it finds one in 4 ns; by length and bytes it takes 10 ns.
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
//     behalf of an entry, an attribute or the object of a grant, is therefore
//     the same for all its holders, and may be remembered in it.
//  3. What is derived from ancestors is remembered in the entry together with
//     the epoch of the reader that computed it, and used by readers of the same
//     epoch. By 2 they agree on the entity itself, and by the third promise on
//     everything above it.
//     An entry that stands below one parent may lead to what is derived for the
//     parent at an epoch, and only readers of that epoch follow. The parent was
//     read by one of them, and is the same for all of them; and by 2 they agree
//     on who the parent is.
//  4. A reader of an unknown epoch uses entries by 1, puts none, and neither
//     uses nor leaves anything derived, nor follows or leaves a way to a
//     parent.
package pip
