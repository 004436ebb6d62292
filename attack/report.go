package attack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/devonartis/medassist-go/internal/privatefile"
)

// ReportFile is the name of the report in the data folder.
const ReportFile = "attacks.json"

// A Report is the score of the last check, kept for the page.
type Report struct {
	Checked time.Time `json:"checked"`
	Broker  string    `json:"broker"` // "embedded", or the address of a remote one
	Score   Score     `json:"score"`
}

// Save writes the report to a file.
func (r Report) Save(path string) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := privatefile.Write(path, b); err != nil {
		return fmt.Errorf("attack: save the report: %w", err)
	}
	return nil
}

// LoadReport reads a report. It returns false if there is none.
func LoadReport(path string) (r Report, ok bool, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || path == "" {
		return r, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return r, false, fmt.Errorf("attack: read the report: %w", err)
	}
	return r, true, nil
}
