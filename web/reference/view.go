package reference

import (
	"cmp"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/web/ui"
)

// A Page is an API's reference.
type Page struct {
	ui.Page
	Heading, Version, Description string
	JSON                          string // where the document is
	Others                        []ui.Link
	Groups                        []Group
	Schemas                       []Schema
}

// A Group holds the operations with one tag.
type Group struct {
	Name, Description string
	Operations        []Operation
}

// An Operation is a method of a path.
type Operation struct {
	Method, Path, Summary, Description string
	Bearer                             bool // an access token is required
	Parameters                         []Field
	Body                               []Content
	Responses                          []Response
}

// ID returns the operation's fragment.
func (o Operation) ID() string {
	return strings.ToLower(o.Method) + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(o.Path)
}

// A Field is a parameter or a property.
type Field struct {
	Name, In, Description string
	Required              bool
	Type                  Type
}

// Content is a body of one media type.
type Content struct {
	Media  string
	Type   Type
	Fields []Field // of an object that has no name
}

// A Response is an answer by its status, or "default" for all others.
type Response struct {
	Status, Description string
	Content             []Content
}

// A Schema is a named type.
type Schema struct {
	Name, Description string
	Type              Type
	Fields            []Field
}

// A Type describes a type in a few words. Ref names the schema that the words end
// with, if there is one.
type Type struct{ Words, Ref string }

// view returns what the pages show of a document.
func (d *document) view() Page {
	p := Page{Heading: d.Info.Title, Version: d.Info.Version, Description: d.Info.Description}
	for _, tag := range d.Tags {
		g := Group{Name: tag.Name, Description: tag.Description}
		for _, item := range d.Paths {
			for method, op := range item.Value.operations() {
				if slices.Contains(op.Tags, tag.Name) {
					g.Operations = append(g.Operations, d.operation(method, item.Name, item.Value, op))
				}
			}
		}
		p.Groups = append(p.Groups, g)
	}
	for _, s := range d.Components.Schemas {
		p.Schemas = append(p.Schemas, Schema{s.Name, s.Value.Description, typeOf(s.Value), d.fields(s.Value)})
	}
	return p
}

// operations yields a path's operations by method.
func (i pathItem) operations() iter.Seq2[string, *operation] {
	return func(yield func(string, *operation) bool) {
		for _, o := range []named[*operation]{{"GET", i.Get}, {"POST", i.Post}, {"PUT", i.Put}, {"DELETE", i.Delete}} {
			if o.Value != nil && !yield(o.Name, o.Value) {
				return
			}
		}
	}
}

func (d *document) operation(method, at string, item pathItem, op *operation) Operation {
	out := Operation{Method: method, Path: at, Summary: op.Summary, Description: op.Description, Bearer: len(op.Security) > 0}
	for _, p := range slices.Concat(item.Parameters, op.Parameters) {
		if p.Ref != "" {
			p = d.Components.Parameters[path.Base(p.Ref)]
		}
		out.Parameters = append(out.Parameters, Field{p.Name, p.In, cmp.Or(p.Description, p.Schema.Description), p.Required, typeOf(p.Schema)})
	}
	sent := op.RequestBody
	if sent.Ref != "" {
		sent = d.Components.RequestBodies[path.Base(sent.Ref)]
	}
	out.Body = d.content(sent.Content)
	for _, r := range op.Responses {
		answer := r.Value
		if answer.Ref != "" {
			answer = d.Components.Responses[path.Base(answer.Ref)]
		}
		out.Responses = append(out.Responses, Response{r.Name, answer.Description, d.content(answer.Content)})
	}
	return out
}

func (d *document) content(all ordered[media]) (out []Content) {
	for _, m := range all {
		out = append(out, Content{m.Name, typeOf(m.Value.Schema), d.fields(m.Value.Schema)})
	}
	return out
}

// fields returns an object's properties, those of allOf included.
func (d *document) fields(s *schema) (out []Field) {
	if s == nil {
		return nil
	}
	for _, part := range s.AllOf {
		out = append(out, d.fields(part)...)
	}
	for _, p := range s.Properties {
		out = append(out, Field{Name: p.Name, Description: p.Value.Description, Required: slices.Contains(s.Required, p.Name), Type: typeOf(p.Value)})
	}
	return out
}

// typeOf describes a type.
func typeOf(s *schema) Type {
	switch {
	case s == nil:
		return Type{}
	case s.Ref != "":
		return Type{Ref: path.Base(s.Ref)}
	case len(s.AllOf) > 0:
		t := typeOf(s.AllOf[0])
		return Type{"extends " + t.Words, t.Ref}
	case len(s.Enum) > 0:
		return Type{Words: strings.Join(s.Enum, " · ")}
	case s.Items != nil:
		t := typeOf(s.Items)
		return Type{"array of " + t.Words, t.Ref}
	case s.AdditionalProperties.schema != nil:
		t := typeOf(s.AdditionalProperties.schema)
		return Type{"object of " + t.Words, t.Ref}
	}
	words := string(s.Type)
	if s.Format != "" {
		words += ", " + s.Format
	}
	if s.Default != nil {
		words += fmt.Sprintf(", default %v", s.Default)
	}
	if s.Pattern != "" {
		words += ", " + s.Pattern
	}
	return Type{Words: words}
}

// spans splits text at its backquotes: every second part is code.
func spans(text string) []string { return strings.Split(text, "`") }
