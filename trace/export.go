package trace

import "context"

// An Export is a run with its events, as one document.
type Export struct {
	Run    Run     `json:"run"`
	Events []Event `json:"events"`
}

// ReadExport returns a run with the events so far. It fails with ErrNotFound.
func ReadExport(ctx context.Context, log Log, runID string) (Export, error) {
	events, err := log.Events(ctx, runID, 0)
	if err != nil {
		return Export{}, err
	}
	// The run may have ended since its events were read. Then they are read
	// again, so that the export is consistent.
	run, err := log.Run(ctx, runID)
	if err == nil && run.Summary != nil && len(events) > 0 && events[len(events)-1].Step.Type() != TypeComplete {
		events, err = log.Events(ctx, runID, 0)
	}
	if err != nil {
		return Export{}, err
	}
	return Export{run, events}, nil
}
