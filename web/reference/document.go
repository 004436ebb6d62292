package reference

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A document is the part of an OpenAPI document that the pages show. Lists are in
// the document's order.
type document struct {
	Info struct{ Title, Version, Summary, Description string }
	Tags []struct{ Name, Description string }

	Paths      ordered[pathItem]
	Components struct {
		Schemas       ordered[*schema]
		Parameters    map[string]parameter
		Responses     map[string]response
		RequestBodies map[string]body `yaml:"requestBodies"`
	}
}

type pathItem struct {
	Parameters             []parameter
	Get, Post, Put, Delete *operation
}

type operation struct {
	Summary, Description string
	Tags                 []string
	Parameters           []parameter
	RequestBody          body `yaml:"requestBody"`
	Responses            ordered[response]
	Security             []map[string][]string
}

type parameter struct {
	Ref                   string `yaml:"$ref"`
	Name, In, Description string
	Required              bool
	Schema                *schema
}

type body struct {
	Ref     string `yaml:"$ref"`
	Content ordered[media]
}

type response struct {
	Ref         string `yaml:"$ref"`
	Description string
	Content     ordered[media]
}

type media struct{ Schema *schema }

type schema struct {
	Ref                          string `yaml:"$ref"`
	Type                         types
	Format, Description, Pattern string
	Enum                         []string
	Items                        *schema
	Properties                   ordered[*schema]
	Required                     []string
	AllOf                        []*schema `yaml:"allOf"`
	AdditionalProperties         values    `yaml:"additionalProperties"`
	Default                      any
}

// types is a type, or several with "or" between them.
type types string

// UnmarshalYAML implements yaml.Unmarshaler.
func (t *types) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*t = types(n.Value)
		return nil
	}
	var list []string
	err := n.Decode(&list)
	*t = types(strings.Join(list, " or "))
	return err
}

// values is the schema of an object's other properties; nil if it is only said
// whether there may be some.
type values struct{ *schema }

// UnmarshalYAML implements yaml.Unmarshaler.
func (v *values) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	return n.Decode(&v.schema)
}

// ordered is a map in the document's order.
type ordered[T any] []named[T]

type named[T any] struct {
	Name  string
	Value T
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (o *ordered[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want a mapping", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		entry := named[T]{Name: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&entry.Value); err != nil {
			return err
		}
		*o = append(*o, entry)
	}
	return nil
}

// parse reads a document, and returns it as JSON too.
func parse(text []byte) (doc document, asJSON []byte, err error) {
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return doc, nil, err
	}
	var all any
	if err := yaml.Unmarshal(text, &all); err != nil {
		return doc, nil, err
	}
	asJSON, err = json.MarshalIndent(all, "", " ")
	return doc, asJSON, err
}
