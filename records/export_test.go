package records

import "time"

func init() { readTimeout = 300 * time.Millisecond }
