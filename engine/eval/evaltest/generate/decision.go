package generate

import "fmt"

// decision are the rules that a decision is made of, of the types that it gives
// them.
func (w *writer) decision() string {
	text := ""
	if w.chance(50) {
		text += "default allow := false\n"
	}
	for range 1 + w.below(3) {
		w.fuel = fuelPerRule
		text += "allow" + w.when(&scope{})
	}
	if w.chance(5) {
		text += "allow := false" + w.when(&scope{})
	}
	text += "\n"
	for _, name := range []string{"deny", "reasons"} {
		if !w.chance(60) {
			continue
		}
		for i := range 1 + w.below(3) {
			w.fuel = fuelPerRule
			sc := &scope{}
			if w.chance(70) {
				text += fmt.Sprintf("%s contains %q", name, fmt.Sprint(name, i)) + w.when(sc)
				continue
			}
			body := w.bodyBinding(str, sc)
			text += fmt.Sprintf(`%s contains sprintf("%%v", [%s])`, name, w.member(str, sc)) + block(body)
		}
		text += "\n"
	}
	if w.chance(60) {
		w.fuel = fuelPerRule
		text += w.entryRule("obligations[%s] := %s", pick(w.source, elements...))
		if w.chance(50) {
			text += `obligations["k"] := ` + w.literal(str) + w.when(&scope{})
		}
	}
	return text
}
