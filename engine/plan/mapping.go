package plan

import (
	"strings"
	"unicode/utf8"

	"github.com/verdictpdp/verdict/api/authz"
)

// A mapping says where rows of a table keep what the directory knows of entities
// of a type. It is data of the bundle:
//
//	{"verdict": {"plan": {"document": {
//	  "table": "documents",
//	  "id": "id",
//	  "columns": {
//	    "owner": "owner_ref",
//	    "pages": {"column": "pages", "type": "number"},
//	    "address.city": "city",
//	    "tags": {"table": "document_tags", "key": "document_id", "column": "tag"}
//	  },
//	  "ancestors": {"table": "document_ancestors", "key": "document_id", "column": "ref"},
//	  "parents": {"table": "document_parents", "key": "document_id", "column": "ref"}
//	}}}}
//
// A column without a type holds texts, and what is compared with other than texts
// has to have one: the author may have forgotten it, and a number compares with all
// texts alike. The id is that of the entity, in a column of texts or of whole numbers. A list is a table of its own,
// in which key is the id of the row and each row an element; a row without elements
// has the list empty. The ancestors include what stands above what stands above,
// and may leave out the entity itself and the tenant.
type mapping struct {
	table     string
	id        column
	columns   map[string]mapped
	ancestors *list
	parents   *list
}

// A column is one of a table.
type column struct {
	table string // or the number of its alias, for a list
	name  string
	typ   columnType
	place string // of the type, where the mapping does not say it
}

type columnType string

const (
	texts    columnType = "string"
	uuids    columnType = "uuid" // texts to the directory; a type of its own to PostgreSQL
	numbers  columnType = "number"
	booleans columnType = "boolean"
)

// isText reports whether the directory has a string where the column has a value.
func (c column) isText() bool { return c.typ == texts || c.typ == uuids }

// A mapped attribute is a column or a list.
type mapped struct {
	column column
	list   *list
}

// A list is a table of elements.
type list struct {
	table, key string
	element    column
}

// A mappingReader reads a mapping and keeps what is wrong with it.
type mappingReader struct {
	typ  string
	errs []string
}

func (r *mappingReader) wrong(place, what string) {
	r.errs = append(r.errs, "data.verdict.plan."+r.typ+place+": "+what)
}

func readMapping(typ string, data any) (mapping, error) {
	r := &mappingReader{typ: typ}
	object, isObject := data.(map[string]any)
	if !isObject {
		return mapping{}, authz.Errorf(authz.FailedPrecondition,
			`the bundle does not say in which table rows of type %s are: add to its data {"verdict": {"plan": {%q: {"table": "…", "id": "…", "columns": {…}}}}}`, authz.Quote(typ), typ)
	}
	m := mapping{columns: make(map[string]mapped)}
	m.table = r.name("table", "", object["table"], ".table")
	m.id = column{table: m.table, name: "id", typ: texts}
	if given, is := object["id"]; is {
		m.id = r.column(m.table, given, ".id")
	}
	if m.id.typ == booleans {
		r.wrong(".id", "an id is no boolean")
	}
	columns, isObject := object["columns"].(map[string]any)
	if _, given := object["columns"]; given && !isObject {
		r.wrong(".columns", "expected an object of attributes")
	}
	for attribute, given := range columns {
		place := ".columns." + attribute
		if inner, isObject := given.(map[string]any); isObject && inner["table"] != nil {
			m.columns[attribute] = mapped{list: r.list(inner, place)}
		} else {
			m.columns[attribute] = mapped{column: r.column(m.table, given, place)}
		}
	}
	for name, at := range map[string]**list{"ancestors": &m.ancestors, "parents": &m.parents} {
		if given, is := object[name]; is {
			if *at = r.list(given, "."+name); !(*at).element.isText() {
				r.wrong("."+name, "refs are strings")
			}
		}
	}
	r.known(object, "", "table", "id", "columns", "ancestors", "parents")
	if len(r.errs) > 0 {
		return mapping{}, authz.Errorf(authz.FailedPrecondition, "%s", strings.Join(r.errs, "; "))
	}
	return m, nil
}

// name is the name of a table or a column.
func (r *mappingReader) name(what, fallback string, given any, place string) string {
	name, isText := given.(string)
	if given == nil && fallback != "" {
		return fallback
	}
	if !isText || name == "" || strings.ContainsRune(name, 0) || !utf8.ValidString(name) || what == "table" && strings.Contains("."+name+".", "..") {
		r.wrong(place, "expected the name of a "+what)
	}
	if strings.Contains(name, "?") {
		r.wrong(place, "drivers may take a question mark for a placeholder: name a view that does without")
	}
	return name
}

func (r *mappingReader) column(table string, given any, place string) column {
	c := column{table: table, typ: texts, place: "data.verdict.plan." + r.typ + place}
	object, isObject := given.(map[string]any)
	if !isObject {
		c.name = r.name("column", "", given, place)
		return c
	}
	r.known(object, place, "column", "type", "table", "key")
	c.name = r.name("column", "", object["column"], place+".column")
	if typ, is := object["type"]; is {
		name, _ := typ.(string)
		c.place = ""
		if c.typ = columnType(name); c.typ != texts && c.typ != uuids && c.typ != numbers && c.typ != booleans {
			r.wrong(place+".type", "expected string, uuid, number or boolean")
		}
	}
	return c
}

func (r *mappingReader) list(given any, place string) *list {
	object, isObject := given.(map[string]any)
	if !isObject {
		r.wrong(place, `expected {"table": "…", "key": "…", "column": "…"}`)
		return &list{element: column{typ: texts}}
	}
	return &list{
		table:   r.name("table", "", object["table"], place+".table"),
		key:     r.name("column", "", object["key"], place+".key"),
		element: r.column("", object, place),
	}
}

// known finds members that mean nothing here.
func (r *mappingReader) known(object map[string]any, place string, names ...string) {
	for name := range object {
		found := false
		for _, known := range names {
			found = found || name == known
		}
		if !found {
			r.wrong(place+"."+name, "there is no such member: expected "+strings.Join(names, ", "))
		}
	}
}
