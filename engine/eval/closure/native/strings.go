package native

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

var stringFunctions = map[string]Func{
	ast.Lower.Name:      {Unary: changes(ast.Lower.Name)},
	ast.Upper.Name:      {Unary: changes(ast.Upper.Name)},
	ast.Trim.Name:       {Binary: trims(ast.Trim.Name)},
	ast.TrimLeft.Name:   {Binary: trims(ast.TrimLeft.Name)},
	ast.TrimRight.Name:  {Binary: trims(ast.TrimRight.Name)},
	ast.TrimPrefix.Name: {Binary: trims(ast.TrimPrefix.Name)},
	ast.TrimSuffix.Name: {Binary: trims(ast.TrimSuffix.Name)},
	ast.TrimSpace.Name:  {Unary: changes(ast.TrimSpace.Name)},
	ast.IndexOf.Name:    {Binary: indexOf},
	ast.Substring.Name:  {Ternary: substring},
	ast.Split.Name:      {Binary: split},
	ast.Concat.Name:     {Binary: concat},
	ast.Replace.Name:    {Ternary: replace},
}

var textFunctions = map[string]Text{
	ast.Lower.Name:      func(a, _ string) string { return strings.ToLower(a) },
	ast.Upper.Name:      func(a, _ string) string { return strings.ToUpper(a) },
	ast.Trim.Name:       strings.Trim,
	ast.TrimLeft.Name:   strings.TrimLeft,
	ast.TrimRight.Name:  strings.TrimRight,
	ast.TrimPrefix.Name: strings.TrimPrefix,
	ast.TrimSuffix.Name: strings.TrimSuffix,
	ast.TrimSpace.Name:  func(a, _ string) string { return strings.TrimSpace(a) },
}

var stringSpreads = map[string]Spread{
	ast.Concat.Name: spreadConcat,
}

func twoStrings(a, b *ast.Term) (x, y string, ok bool) {
	s, ok := a.Value.(ast.String)
	if !ok {
		return "", "", false
	}
	t, ok := b.Value.(ast.String)
	return string(s), string(t), ok
}

// stringTerm is the term of a string.
func stringTerm(s string) *ast.Term {
	if s == "" {
		return ast.InternedEmptyString
	}
	return ast.StringTerm(s)
}

func changes(name string) func(a *ast.Term) (*ast.Term, error) {
	change := textFunctions[name]
	return func(a *ast.Term) (*ast.Term, error) {
		text, ok := a.Value.(ast.String)
		if !ok {
			return reference(name, a)
		}
		return changed(a, string(text), change(string(text), "")), nil
	}
}

func trims(name string) func(a, b *ast.Term) (*ast.Term, error) {
	trim := textFunctions[name]
	return func(a, b *ast.Term) (*ast.Term, error) {
		text, cut, ok := twoStrings(a, b)
		if !ok {
			return reference(name, a, b)
		}
		return changed(a, text, trim(text, cut)), nil
	}
}

// changed is the term of text, a, if it stayed as it was.
func changed(a *ast.Term, text, result string) *ast.Term {
	if text == result {
		return a
	}
	return stringTerm(result)
}

// indexOf counts characters. In text that is UTF-8 a byte for byte match is one
// of characters.
func indexOf(a, b *ast.Term) (*ast.Term, error) {
	text, part, ok := twoStrings(a, b)
	if !ok || part == "" || !utf8.ValidString(text) || !utf8.ValidString(part) {
		return reference(ast.IndexOf.Name, a, b)
	}
	at := strings.Index(text, part)
	if at > 0 {
		at = utf8.RuneCountInString(text[:at])
	}
	return ast.IntNumberTerm(at), nil
}

// substring is so many characters from an offset, or all of them if the length
// is negative.
func substring(a, from, length *ast.Term) (*ast.Term, error) {
	text, ok := a.Value.(ast.String)
	if !ok || !ascii(string(text)) {
		return reference(ast.Substring.Name, a, from, length)
	}
	start, most, ok := integers(from, length)
	if !ok || start < 0 {
		return reference(ast.Substring.Name, a, from, length)
	}
	rest := string(text[min(start, int64(len(text))):])
	if most >= 0 {
		rest = rest[:min(most, int64(len(rest)))]
	}
	return changed(a, string(text), rest), nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func split(a, by *ast.Term) (*ast.Term, error) {
	text, delimiter, ok := twoStrings(a, by)
	if !ok || delimiter == "" {
		return reference(ast.Split.Name, a, by)
	}
	delimiters := strings.Count(text, delimiter)
	if delimiters == 0 {
		return ast.ArrayTerm(a), nil
	}
	terms := make([]ast.Term, delimiters+1)
	parts := make([]*ast.Term, delimiters+1)
	for i := range parts {
		part, rest, _ := strings.Cut(text, delimiter)
		terms[i].Value = ast.String(part)
		parts[i], text = &terms[i], rest
	}
	return ast.ArrayTerm(parts...), nil
}

// concat joins the strings of an array or a set: the only one as it is.
func concat(by, a *ast.Term) (*ast.Term, error) {
	if parts, ok := elementsOf(a.Value); ok {
		if result := joined(by, parts); result != nil {
			return result, nil
		}
	}
	return reference(ast.Concat.Name, by, a)
}

func spreadConcat(by *ast.Term, parts []*ast.Term) (*ast.Term, error) {
	of := elements{list: parts}
	if result := joined(by, of); result != nil {
		return result, nil
	}
	return reference(ast.Concat.Name, by, of.term())
}

// joined is nil where OPA has to be asked.
func joined(by *ast.Term, parts elements) *ast.Term {
	if parts.len() == 1 {
		if _, ok := parts.at(0).Value.(ast.String); ok {
			if _, ok := by.Value.(ast.String); ok {
				return parts.at(0)
			}
		}
		return nil
	}
	var room [line]byte
	if text, ok := appendJoined(room[:0], by, parts); ok {
		return stringTerm(string(text))
	}
	return nil
}

// appendJoined is false where OPA has to be asked.
func appendJoined(text []byte, by *ast.Term, parts elements) ([]byte, bool) {
	separator, ok := by.Value.(ast.String)
	if !ok {
		return text, false
	}
	size := parts.len() * len(separator)
	for i := range parts.len() {
		part, ok := parts.at(i).Value.(ast.String)
		if !ok {
			return text, false
		}
		size += len(part)
	}
	text = slices.Grow(text, size)
	for i := range parts.len() {
		if i > 0 {
			text = append(text, separator...)
		}
		text = append(text, parts.at(i).Value.(ast.String)...)
	}
	return text, true
}

// replace puts one text in the place of each occurrence of another.
func replace(a, old, by *ast.Term) (*ast.Term, error) {
	text, what, ok := twoStrings(a, old)
	if !ok {
		return reference(ast.Replace.Name, a, old, by)
	}
	with, ok := by.Value.(ast.String)
	if !ok {
		return reference(ast.Replace.Name, a, old, by)
	}
	const most = 1 << 20 // bytes that the result is longer
	if what == "" || strings.Count(text, what)*len(with) > most {
		return nil, ErrUnbounded
	}
	return changed(a, text, strings.ReplaceAll(text, what, string(with))), nil
}
