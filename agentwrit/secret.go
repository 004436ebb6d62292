package agentwrit

// A secret holds a token as a function's variable. Package fmt, loggers, JSON
// encoders and debugging printers, which reach unexported fields through
// reflection, then find the address of a function and not the token.
type secret func() string

func keep(s string) secret { return func() string { return s } }

// reveal returns the token, or "" if there is none.
func (s secret) reveal() string {
	if s == nil {
		return ""
	}
	return s()
}
