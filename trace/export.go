package trace

import "context"

// Export is a run as a document that stands by itself.
type Export struct {
	Run    Run     `json:"run"`
	Events []Event `json:"events"`
}

// ReadExport reads a run whole, as far as it has come. It fails with
// ErrNotFound.
func ReadExport(ctx context.Context, log Log, runID string) (Export, error) {
	events, err := log.Events(ctx, runID, 0)
	if err != nil {
		return Export{}, err
	}
	// The run is read last: if it says that it has ended, the events may only
	// be older than it, and then they are read again.
	run, err := log.Run(ctx, runID)
	if err == nil && run.Summary != nil && len(events) > 0 && events[len(events)-1].Step.Type() != TypeComplete {
		events, err = log.Events(ctx, runID, 0)
	}
	if err != nil {
		return Export{}, err
	}
	return Export{run, events}, nil
}
