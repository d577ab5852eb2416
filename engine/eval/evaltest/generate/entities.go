package generate

import "fmt"

// entityRef refers to an entity, most likely one that the request is about.
func (w *writer) entityRef(sc *scope) string {
	if name, found := w.bound(entity, sc); found && w.chance(60) {
		return name
	}
	return pick(w.source,
		"data.directory.user[input.subject.id]", "data.directory.user[input.subject.id]", "data.directory.user.u1",
		"data.directory.record[input.resource.id]", `data.directory.ref["user:u1"]`,
		"data.directory[input.subject.type][input.subject.id]", "data.directory[input.resource.type][input.resource.id]",
	)
}

// entityBinding binds a variable to what stands in an entity.
func (w *writer) entityBinding(sc *scope) string {
	name, key := w.variable(), w.variable()
	of := w.entityRef(sc)
	bind := func(text string, t *typ) func() string {
		return func() string { sc.bind(name, t); return text }
	}
	pair := func(text string, t *typ) func() string {
		return func() string { sc.bind(key, str); sc.bind(name, t); return text }
	}
	return w.oneOf(
		way{15, bind(name+" := "+of, entity)},
		way{20, bind("some "+name+" in "+of+".grants", grant)},
		way{8, bind(name+" := "+of+".grants[_]", grant)},
		way{6, bind("some "+name+" in "+of+".grants_by_scope["+w.leaf(str, sc)+"]", grant)},
		way{6, pair("some "+key+"; "+name+" := "+of+".grants_by_scope["+key+"][_]", grant)},
		way{10, bind("some "+name+" in "+of+"."+pick(w.source, "parents", "ancestors"), str)},
		way{8, pair(fmt.Sprintf("some %s, %s in %s.distances", key, name, of), num)},
		way{6, pair(fmt.Sprintf("some %s, %s in %s.ancestors", key, name, of), str)},
		way{6, pair(fmt.Sprintf("some %s, %s in data.directory.%s", key, name, pick(w.source, "user", "record", "role", "ref")), entity)},
		way{4, bind("some "+name+" in data.directory.user", entity)},
		way{4, bind(`some {"role": `+name+`, "subject": _} in `+of+".grants", str)},
		way{4, bind(fmt.Sprintf("%s := data.directory.ref[%s]", name, w.leaf(str, sc)), entity)},
		way{4, bind(fmt.Sprintf("%s := data.directory.ref[%s.%s[_]]", name, of, pick(w.source, "parents", "ancestors")), entity)},
		way{4, pair(fmt.Sprintf("some %s, %s in data.directory.role.%s.permissions", key, name, pick(w.source, "reader", "editor")), str)},
	)
}

// entityCondition is a condition on what stands in an entity.
func (w *writer) entityCondition(sc *scope) string {
	of, other := w.entityRef(sc), w.entityRef(sc)
	at := func(text string) string {
		return pick(w.source, text, `"department:d1"`, `"group:g1"`, `"user:u1"`, `"tenant:acme"`, other+".ref")
	}
	if name, found := w.bound(grant, sc); found && w.chance(60) {
		return w.oneOf(
			way{8, func() string { return name + `.role == "role:` + pick(w.source, "reader", "editor") + `"` }},
			way{8, func() string { return of + ".ancestors[" + name + ".scope]" }},
			way{6, func() string { return name + ".not_before_ns <= time.now_ns()" }},
			way{6, func() string { return name + ".not_after_ns > time.now_ns()" }},
			way{8, func() string {
				return fmt.Sprintf(`data.directory.ref[%s.role].permissions[sprintf("%%s:%%s", [input.resource.type, input.action.name])]`, name)
			}},
			way{4, func() string { return name + `.subject in ` + of + ".ancestors" }},
		)
	}
	v := w.variable()
	return w.oneOf(
		way{10, func() string { return of + ".ancestors[" + at(w.leaf(str, sc)) + "]" }},
		way{8, func() string { return at(w.leaf(str, sc)) + " in " + of + "." + pick(w.source, "parents", "ancestors") }},
		way{6, func() string {
			return "count(" + of + "." + pick(w.source, "grants", "parents", "ancestors") + ")" + pick(w.source, " > 0", " == 0", " > 2")
		}},
		way{5, func() string { return of + ".type == " + w.constantText() }},
		way{5, func() string { return of + ".distances[" + at(w.leaf(str, sc)) + "] <= 1" }},
		way{5, func() string { return of + ".attributes." + pick(w.source, "b", "n", "s", "mp.a") }},
		way{weightIf(!sc.ground, 5), func() string {
			return fmt.Sprintf("every %s in %s.grants { %s.not_before_ns < time.now_ns() }", v, of, v)
		}},
		way{5, func() string {
			return fmt.Sprintf("%s in {%s | some %s in %s.%s}", at(w.leaf(str, sc)), v, v, of, pick(w.source, "parents", "ancestors"))
		}},
		way{5, func() string {
			return fmt.Sprintf("%s in {%s.role | some %s in %s.grants; %s.scope == %s}", `"role:reader"`, v, v, of, v, at(`"record:r1"`))
		}},
		way{5, func() string {
			return fmt.Sprintf("count({%s | some %s in %s.ancestors; %s.ancestors[%s]}) > 1", v, v, of, other, v)
		}},
		way{4, func() string {
			return "input." + pick(w.source, "subject", "resource") + ".id in object.keys(data.directory." + pick(w.source, "user", "record") + ")"
		}},
		way{weightIf(!sc.ground, 4), func() string { return of + ".grants[_].role == " + at(`"role:reader"`) }},
		way{3, func() string { return of + " == " + other }},
	)
}
