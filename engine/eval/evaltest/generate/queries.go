package generate

import "fmt"

// queries ask for the package as a whole, for each rule by itself, for rules by
// key, and for functions.
func (w *writer) queries() []string {
	w.pkg, w.fuel = "", 0
	sc := &scope{}
	all := []string{"", "x = data.authz", "x = data.authz.allow", "x = data.helper"}
	for _, r := range w.rules {
		ref := r.refFrom(w)
		if r.params != nil {
			all = append(all, "x = "+w.calling(r, sc))
			continue
		}
		all = append(all, "x = "+ref)
		switch r.typ.kind {
		case mapping, set:
			all = append(all, "x = "+ref+w.key(r.typ, sc))
			if w.chance(50) {
				all = append(all, fmt.Sprintf("%s[x] = y", ref))
			}
		case record:
			all = append(all, "x = "+ref+"."+r.typ.fields[w.below(len(r.typ.fields))].name)
		}
	}
	if w.chance(20) {
		all = append(all, "data.authz[x] = y")
	}
	for i, query := range all {
		if query != "" && w.chance(9) {
			all[i] = query + " with " + w.modifier(sc)
		}
	}
	return all
}
