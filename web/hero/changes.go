package hero

import "slices"

// Changes returns the parts of a drawing that differ from those of an earlier
// one. It reports false if the whole picture has to be replaced, because its size
// or its list of parts is another. A lifetime that has only run on is no change:
// the page counts it down itself. Parts of the drawing in which something has
// happened since are set to move.
func (d *Drawing) Changes(earlier Drawing) (parts []Part, same bool) {
	d.move(earlier)
	if d.ID != earlier.ID || d.Width != earlier.Width || d.Height != earlier.Height || d.Still != earlier.Still || len(d.Parts) != len(earlier.Parts) {
		return nil, false
	}
	for i, p := range d.Parts {
		if p.ID != earlier.Parts[i].ID {
			return nil, false
		}
		if !slices.EqualFunc(p.Nodes, earlier.Parts[i].Nodes, Node.equal) {
			parts = append(parts, p)
		}
	}
	return parts, true
}

// Moving returns the parts of a drawing in which something has happened since an
// earlier one, set to move.
func (d Drawing) Moving(earlier Drawing) (parts []Part) {
	d.Parts = slices.Clone(d.Parts)
	d.move(earlier)
	return slices.DeleteFunc(d.Parts, func(p Part) bool { return p.Moves == "" })
}

// move sets those parts to move that show something that the earlier drawing does
// not show.
func (d *Drawing) move(earlier Drawing) {
	for i, p := range d.Parts {
		known := func(e Part) bool { return e.shows == p.shows && e.of == p.of }
		if p.shows != "" && !slices.ContainsFunc(earlier.Parts, known) {
			d.Parts[i].Moves = p.shows
		}
	}
}

// equal compares two elements, except for how much of a lifetime has passed.
func (n Node) equal(o Node) bool {
	switch {
	case n.Class != o.Class || n.Path != o.Path || (n.Text == nil) != (o.Text == nil) || (n.Use == nil) != (o.Use == nil) || (n.Ring == nil) != (o.Ring == nil):
		return false
	case n.Text != nil:
		t, u := n.Text, o.Text
		return t.X == u.X && t.Y == u.Y && t.Size == u.Size && t.Length == u.Length && slices.EqualFunc(t.Spans, u.Spans, func(a, b Span) bool {
			if a.Expires > 0 && b.Expires > 0 {
				a.Text, b.Text = "", ""
			}
			return a == b
		})
	case n.Use != nil:
		return *n.Use == *o.Use
	case n.Ring != nil:
		r, q := *n.Ring, *o.Ring
		r.Left, q.Left = 0, 0
		return r == q
	}
	return true
}
