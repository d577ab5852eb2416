package closure

import (
	"maps"
	"slices"
)

// unset are the places of the locals of a body of a function that have to be
// cleared before it runs, for it may look at them before it sets them. Others may
// hold what an earlier body, or an earlier call, has left there.
func (c *coder) unset(f *function, b *block) []int {
	u := &unsetFinder{found: make(map[local]bool)}
	u.block(b, f.fixed())
	var places []int
	for _, l := range slices.Sorted(maps.Keys(u.found)) {
		places = append(places, c.slot(l))
	}
	return places
}

type unsetFinder struct{ found map[local]bool }

// block goes through a block, before which some locals have been set.
func (u *unsetFinder) block(b *block, set map[local]bool) {
	look := func(l local) {
		if !set[l] {
			u.found[l] = true
		}
	}
	for _, s := range b.statements {
		eachRead(s, look)
		for _, nested := range inner(s) {
			inside := maps.Clone(set)
			if s, isScan := s.(*scan); isScan {
				inside[s.key], inside[s.value] = true, true
			}
			u.block(nested, inside)
		}
		switch s := s.(type) {
		case *isDefined:
			look(s.local)
		case *scan:
		case *assign, *keep, *reset, *create, *merge:
			for _, l := range sets(s) {
				set[l] = true
			}
		default:
			for _, l := range sets(s) { // to which they add, or compare with it
				look(l)
			}
		}
	}
}
