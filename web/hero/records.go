package hero

import "github.com/devonartis/medassist-go/trace"

// A folder is what the records API holds about one patient.
type folder struct {
	patient string
	reached bool
	top     float64
	bottom  float64
}

// folders groups adjacent rows that concern the same patient.
func (p *plan) folders() []folder {
	var out []folder
	add := func(patient string, reached bool, mid, h float64) {
		if n := len(out); n > 0 && out[n-1].patient == patient && out[n-1].reached == reached {
			out[n-1].bottom = mid + h/2
			return
		}
		out = append(out, folder{patient, reached, mid - h/2, mid + h/2})
	}
	for _, b := range p.boxes {
		if !b.open {
			continue
		}
		for _, r := range b.rows {
			switch r.kind {
			case allowed:
				add(r.patient, !p.h.unknown, r.mid, r.h)
			case denied:
				if r.by != trace.RefusedByRecords && r.patient != p.h.patient {
					add(r.patient, false, r.mid, r.h)
				}
			case pending, source, overreach, unfinished:
			}
		}
	}
	for i, t := range p.h.thefts {
		if t.allowed {
			add(t.patient, true, p.attacker[i], p.rowMin)
		}
	}
	return out
}

func (p *plan) records(n *pen) {
	right := p.width - 2
	w := right - p.folderX
	for _, f := range p.folders() {
		top, bottom := f.top+4, f.bottom-4
		if least := p.scope * 2; bottom-top < least {
			mid := (top + bottom) / 2
			top, bottom = mid-least/2, mid+least/2
		}
		class := "folder"
		if !f.reached {
			class = "folder shut"
		}
		tab, lip := w*0.35, p.scope*0.5
		n.path(class, d("M", p.folderX, top+3, "q", 0, -3, 3, -3, "h", tab, "l", lip, lip, "H", right-3, "q", 3, 0, 3, 3, "V", bottom-3,
			"q", 0, 3, -3, 3, "H", p.folderX+3, "q", -3, 0, -3, -3, "z"))
		mid := (top+lip+bottom)/2 + p.scope*0.35
		textClass := "strong mid"
		if !f.reached {
			textClass += " muted"
		}
		cx := (p.folderX + right) / 2
		note := ""
		switch {
		case !f.reached && p.h.unknown:
			note = "no such patient"
		case !f.reached:
			note = "not reached"
		case p.wordy:
			note = p.h.name
		}
		if bottom-top < p.scope*4 || note == "" || sansWidth(note, p.meta)*0.9 > w {
			n.mono(textClass, cx, mid, p.scope, Span{Text: short(f.patient, longest)})
			continue
		}
		n.mono(textClass, cx, mid-p.meta*0.6, p.scope, Span{Text: short(f.patient, longest)})
		noteClass := "mid"
		if !f.reached {
			noteClass = "mid muted"
		}
		n.text(noteClass, cx, mid+p.meta*0.75, p.meta, note)
	}
}
