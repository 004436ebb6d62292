package records

import "fmt"

// money is an amount in cents; 18500 prints as 185.00.
type money int64

// String returns the amount in dollars with two decimals.
func (m money) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return fmt.Sprintf("%s%d.%02d", sign, m/100, m%100)
}

// MarshalJSON returns the amount as a JSON number with two decimals.
func (m money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }
