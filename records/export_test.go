package records

import (
	"strings"
	"time"
)

// Routes returns the routes' scopes, by method and path.
func Routes() map[string]string {
	all := make(map[string]string)
	for _, r := range routes {
		all[r.method+" /records/{patient_id}"+r.path] = strings.Join(r.scopes, ", ")
	}
	return all
}

func init() { readTimeout = 300 * time.Millisecond }
