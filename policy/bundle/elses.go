package bundle

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// placeElses gives what stands behind an else without braces, as owner does in
//
//	allow if admin
//	else if owner
//
// places of its own. OPA's parser gives all of it the place of the else, so that
// errors and explanations could not tell its parts apart. What it parses as a rule
// has them, and so the condition is parsed once more as one.
func placeElses(module *ast.Module, options ast.ParserOptions) {
	for _, rule := range module.Rules {
		for e := rule.Else; e != nil; e = e.Else {
			if len(e.Body) == 1 && e.Body[0].Location.Offset == e.Location.Offset {
				placeElse(module, e, options)
			}
		}
	}
}

// maxIfs is up to how many are tried of one else.
const maxIfs = 10

var ifs = regexp.MustCompile(`\bif\b`)

func placeElse(module *ast.Module, e *ast.Rule, options ast.ParserOptions) {
	text := e.Location.Text
	if e.Else != nil { // which is part of the text
		text = text[:e.Else.Location.Offset-e.Location.Offset]
	}
	var head strings.Builder
	head.WriteString("package places\n")
	for _, i := range module.Imports {
		head.WriteString(i.String() + "\n")
	}
	head.WriteString("x if")
	// There may be an if in a text that is yielded, before the one that is meant.
	for _, at := range ifs.FindAllIndex(text, maxIfs) {
		parsed, err := ast.ParseModuleWithOpts("", head.String()+string(text[at[1]:]), options)
		if err != nil || len(parsed.Rules) != 1 || len(parsed.Rules[0].Body) != 1 {
			continue
		}
		again := nodesIn(parsed.Rules[0].Body[0])
		nodes := nodesIn(e.Body[0])
		if len(again) != len(nodes) {
			continue
		}
		before := text[:at[1]]
		row := e.Location.Row + bytes.Count(before, []byte("\n"))
		column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
		if row == e.Location.Row {
			column += e.Location.Col - 1
		}
		for i, n := range nodes {
			found := again[i].Loc()
			if found == nil {
				continue
			}
			place := *found
			place.File = e.Location.File
			place.Offset += e.Location.Offset + at[1] - head.Len()
			if place.Row -= 1 + len(module.Imports) + 1; place.Row == 0 {
				place.Col += column - len("x if")
			}
			place.Row += row
			n.SetLoc(&place)
		}
		return
	}
}

func nodesIn(expr *ast.Expr) []ast.Node {
	var nodes []ast.Node
	ast.WalkNodes(expr, func(n ast.Node) bool {
		nodes = append(nodes, n)
		return false
	})
	return nodes
}
