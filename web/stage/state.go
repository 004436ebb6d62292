package stage

import (
	"github.com/devonartis/medassist-go/talk"
)

// stateName is the name of the state among the values that replicas share.
const stateName = "stage"

// A state is all that the presenter has chosen: where the talk stands, and what is on
// the stage. Replicas share it, and each shows it to its own viewers.
type state struct {
	Talk  progress `json:"talk"`
	Act   title    `json:"act"`
	RunID string   `json:"run_id,omitempty"`
	Step  int      `json:"step,omitempty"` // the run is shown as it stood after this one; 0 for the latest
	Page  page     `json:"page"`
	Look  Look     `json:"look"`
}

// title is that of the act on the stage, which the presenter may have left already.
// It is empty for a run that belongs to none, and before the first act.
type title struct {
	Text string `json:"text"`
	No   int    `json:"no"`
	Of   int    `json:"of"`
}

// page is the page on the stage; the zero page is none.
type page struct {
	Path string `json:"path,omitempty"` // with its query
	Base string `json:"base,omitempty"` // the base URL that the page with the link for phones shows
}

// introduce clears the stage for an act.
func (s *state) introduce(act talk.Act, of int) { s.show(title{act.Title(), act.No, of}, "") }

// show puts a run on the stage.
func (s *state) show(act title, runID string) {
	s.Act, s.RunID, s.Step, s.Page = act, runID, 0, page{}
}
