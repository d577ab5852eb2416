package closure

// foldNests makes one statement of those by which the plan sets a member deep in
// an object that a rule adds to: for each key on the way it looks whether there
// is an object, makes one where there is none, and puts it back.
//
//	group: group: val = object[key], leave 2; create val
//	…what is added to val…
//	insert object[key] = val
func foldNests(b *block) {
	everyBlock(b, func(b *block) {
		for i := range b.statements {
			if deep, n := nestOf(b.statements[i:], none); deep != nil {
				b.statements = append(b.statements[:i:i], append([]statement{deep}, b.statements[i+n:]...)...)
				return
			}
		}
	})
}

// nestOf is the statement that some begin with, and how many they are. They add
// to the given object, if one is.
func nestOf(statements []statement, object local) (*insertDeep, int) {
	if len(statements) == 0 {
		return nil, 0
	}
	if last, isInsert := statements[0].(*insert); isInsert && object != none {
		if last.object != object || !last.once {
			return nil, 0
		}
		return &insertDeep{path: []expression{last.key}, value: last.value, at: last.at}, 1
	}
	g, isGroup := statements[0].(*group)
	if !isGroup {
		return nil, 0
	}
	from, key, to, kind := getOrCreate(g)
	if from == none || object != none && from != object {
		return nil, 0
	}
	var deep *insertDeep
	n := 0
	if add, isAdd := at[*addTo](statements, 1); isAdd && kind == setKind && add.set == to {
		deep, n = &insertDeep{member: add.value, at: add.at}, 1
		if again, isInsert := at[*insert](statements, 2); isInsert && putsBack(again, from, to) {
			n++
		}
	} else if kind == objectKind {
		deep, n = nestOf(statements[1:], to)
	}
	if deep == nil {
		return nil, 0
	}
	if back, isInsert := at[*insert](statements, 1+n); !isInsert || !putsBack(back, from, to) {
		return nil, 0
	}
	deep.object, deep.path = from, append([]expression{key}, deep.path...)
	return deep, n + 2
}

// at is a statement, if there is one of the kind at a place.
func at[S statement](statements []statement, i int) (s S, is bool) {
	if i >= len(statements) {
		return s, false
	}
	s, is = statements[i].(S)
	return s, is
}

func putsBack(s *insert, object, value local) bool {
	from, isRead := s.value.(read)
	return s.object == object && isRead && from.from == value && !s.once
}

// getOrCreate takes apart the group that looks for a member and makes it where
// there is none; from is none for other groups.
func getOrCreate(g *group) (from local, key expression, to local, of kind) {
	if len(g.blocks) != 1 || len(g.blocks[0].statements) != 2 {
		return none, nil, none, 0
	}
	look, isGroup := g.blocks[0].statements[0].(*group)
	made, isCreate := g.blocks[0].statements[1].(*create)
	if !isGroup || !isCreate || len(look.blocks) != 1 || len(look.blocks[0].statements) != 2 {
		return none, nil, none, 0
	}
	found, isAssign := look.blocks[0].statements[0].(*assign)
	out, isLeave := look.blocks[0].statements[1].(*leave)
	if !isAssign || !isLeave || out.blocks != 2 || found.to != made.to {
		return none, nil, none, 0
	}
	d, isDot := found.value.(dot)
	if !isDot {
		return none, nil, none, 0
	}
	object, isRead := d.of.(read)
	if !isRead {
		return none, nil, none, 0
	}
	return object.from, d.key, made.to, made.kind
}

// insertDeep is the code that sets a member deep in an object. What on the way
// is no object that the rules have made is a conflict.
func (c *coder) insertDeep(s *insertDeep) step {
	slot, path := c.slot(s.object), c.settledAll(s.path)
	conflict := keyConflict(s.at)
	leaf := s.value
	if s.member != nil {
		leaf = s.member
	}
	v, isMember := c.settled(leaf), s.member != nil
	return func(m *machine) signal {
		keys := terms(m, path)
		if keys == nil {
			return m.absent()
		}
		value := v(m)
		if value == nil || !m.work(len(keys)) || isMember && !m.pay(m.weigh(value.Value)) {
			return m.absent()
		}
		for _, key := range keys {
			if !m.pay(m.weigh(key.Value)) {
				return halt
			}
		}
		place := &m.slots[slot]
		for i, key := range keys {
			object := m.open(place, objectKind)
			if object == nil {
				return conflict(m)
			}
			last := i == len(keys)-1
			at := object.object.position(key)
			switch {
			case at >= 0 && last && !isMember:
				if !same(m, object.object.list[at][1], value) {
					return conflict(m)
				}
				return goOn
			case at < 0 && last && !isMember:
				object.object.add(key, value)
				return goOn
			case at < 0:
				at = len(object.object.list)
				of := objectKind
				if last {
					of = setKind
				}
				object.object.add(key, empty[of])
			}
			place = &object.object.list[at][1]
		}
		set := m.open(place, setKind)
		if set == nil {
			return conflict(m)
		}
		set.add(value)
		return goOn
	}
}
