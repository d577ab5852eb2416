package authzen

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A plain reads bodies that are as almost all are: sound, without escapes, with no
// members but those that have a meaning and none of these null. Of anything else it
// says that it is not plain, and leaves it to the decoder, which also says what is
// wrong with it. FuzzPlain holds the two together. See BenchmarkEvaluation.
//
// Strings are parts of the text.
type plain struct {
	text string
	at   int
	// values counts the values of properties and contexts.
	values int
}

// plainEvaluation reads the body of an Access Evaluation request.
func plainEvaluation(text string) (parts, bool) {
	p := plain{text: text}
	evaluation, isPlain := p.evaluation()
	return evaluation, isPlain && p.ended()
}

// plainEvaluations reads the body of an Access Evaluations request without options.
func plainEvaluations(text string) (batch, bool) {
	p := plain{text: text}
	var b batch
	store := new(partStore)
	isPlain := p.object(func(name string) bool {
		if name != "evaluations" {
			return p.part(&b.defaults, store, name)
		}
		return b.items == nil && p.items(&b)
	})
	return b, isPlain && p.ended()
}

func (p *plain) items(b *batch) bool {
	if !p.next('[') {
		return false
	}
	b.items = []parts{}
	if p.next(']') {
		return true
	}
	for {
		item, isPlain := p.evaluation()
		if b.items = append(b.items, item); !isPlain || pdp.CheckBatch(len(b.items)) != nil {
			return false
		}
		if !p.next(',') {
			return p.next(']')
		}
	}
}

func (p *plain) evaluation() (parts, bool) {
	var evaluation parts
	store := new(partStore)
	isPlain := p.object(func(name string) bool { return p.part(&evaluation, store, name) })
	return evaluation, isPlain
}

// A partStore is where parts point, all at once.
type partStore struct {
	subject  authz.Subject
	action   authz.Action
	resource authz.Resource
}

// part reads a part that has not been read before.
func (p *plain) part(to *parts, store *partStore, name string) bool {
	switch {
	case name == "subject" && to.subject == nil:
		to.subject = &store.subject
		return p.members("type", &to.subject.Type, "id", &to.subject.ID, &to.subject.Properties)
	case name == "action" && to.action == nil:
		to.action = &store.action
		return p.members("name", &to.action.Name, "", nil, &to.action.Properties)
	case name == "resource" && to.resource == nil:
		to.resource = &store.resource
		return p.members("type", &to.resource.Type, "id", &to.resource.ID, &to.resource.Properties)
	case name == "context" && to.context == nil:
		return p.properties(&to.context, 1)
	}
	return false
}

// members reads the two texts and the properties of a part, each once at most.
func (p *plain) members(firstName string, first *string, secondName string, second *string, properties *authz.Object) bool {
	var hasFirst, hasSecond bool
	return p.object(func(name string) (isPlain bool) {
		switch {
		case name == firstName && !hasFirst:
			hasFirst = true
			*first, isPlain = p.string()
		case name == secondName && second != nil && !hasSecond:
			hasSecond = true
			*second, isPlain = p.string()
		case name == "properties" && *properties == nil:
			isPlain = p.properties(properties, 1)
		}
		return isPlain
	})
}

// object reads the members of an object.
func (p *plain) object(member func(name string) bool) bool {
	if !p.next('{') {
		return false
	}
	if p.next('}') {
		return true
	}
	for {
		name, isPlain := p.string()
		if !isPlain || !p.next(':') || !member(name) {
			return false
		}
		if !p.next(',') {
			return p.next('}')
		}
	}
}

// properties reads an object of any members that stands at a depth.
func (p *plain) properties(to *authz.Object, depth int) bool {
	if depth > pdp.MaxDepth || !p.next('{') {
		return false
	}
	object := authz.Object{}
	*to = object
	if p.next('}') {
		return true
	}
	for {
		name, isPlain := p.string()
		if !isPlain || !p.next(':') {
			return false
		}
		value, isPlain := p.value(depth)
		if _, twice := object[name]; !isPlain || twice {
			return false
		}
		object[name] = value
		if !p.next(',') {
			return p.next('}')
		}
	}
}

// array reads an array of any values that stands at a depth.
func (p *plain) array(depth int) ([]any, bool) {
	if depth > pdp.MaxDepth || !p.next('[') {
		return nil, false
	}
	list := []any{}
	if p.next(']') {
		return list, true
	}
	for {
		value, isPlain := p.value(depth)
		if list = append(list, value); !isPlain {
			return nil, false
		}
		if !p.next(',') {
			return list, p.next(']')
		}
	}
}

// value reads a value that stands at a depth.
func (p *plain) value(depth int) (any, bool) {
	if p.values++; p.values > maxValues {
		return nil, false
	}
	p.space()
	if p.at == len(p.text) {
		return nil, false
	}
	switch p.text[p.at] {
	case '{':
		var object authz.Object
		isPlain := p.properties(&object, depth+1)
		return object, isPlain
	case '[':
		return p.array(depth + 1)
	case '"':
		return p.string()
	case 't':
		return true, p.word("true")
	case 'f':
		return false, p.word("false")
	case 'n':
		return nil, p.word("null")
	}
	length := numberLength(p.text[p.at:])
	number := p.text[p.at : p.at+length]
	p.at += length
	return json.Number(number), length > 0 && authz.ValidateNumber(number) == nil
}

// string reads a string without escapes.
func (p *plain) string() (string, bool) {
	if !p.next('"') {
		return "", false
	}
	start, ascii := p.at, true
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			found := p.text[start:p.at]
			p.at++
			return found, ascii || utf8.ValidString(found)
		case c == '\\' || c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", false
}

func (p *plain) word(word string) bool {
	found := strings.HasPrefix(p.text[p.at:], word)
	p.at += len(word)
	return found
}

// next reads a character behind white space, if it comes next.
func (p *plain) next(c byte) bool {
	if p.space(); p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *plain) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// ended reports whether nothing but white space is left.
func (p *plain) ended() bool {
	p.space()
	return p.at == len(p.text)
}

// numberLength is how long the number is that a text begins with (RFC 8259, section
// 6); 0 where it begins with none.
func numberLength(text string) int {
	at := 0
	digits := func() bool {
		start := at
		for at < len(text) && '0' <= text[at] && text[at] <= '9' {
			at++
		}
		return at > start
	}
	is := func(set string) bool {
		if at < len(text) && strings.IndexByte(set, text[at]) >= 0 {
			at++
			return true
		}
		return false
	}
	is("-")
	if !is("0") && !digits() {
		return 0
	}
	if is(".") && !digits() {
		return 0
	}
	if is("eE") {
		is("+-")
		if !digits() {
			return 0
		}
	}
	return at
}
