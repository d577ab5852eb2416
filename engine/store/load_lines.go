package store

import "github.com/verdictpdp/verdict/api/authz"

// LinesOf finds the lines that entities were last put from, and sets them in
// lines, whose keys they are. It reads all that was loaded, once, and so is for
// errors.
func (l *Loader) LinesOf(lines map[authz.EntityRef]int) error {
	within := len(prefix(l.tenant, spaceEntity))
	return l.eachLoaded(func(r loaded) error {
		if r.op != PutEntity {
			return nil
		}
		ref, err := wholeRef(r.key[within:])
		if _, asked := lines[ref]; asked && err == nil {
			lines[ref] = r.line
		}
		return err
	})
}
