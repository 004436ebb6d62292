package records

import "fmt"

// money is an amount in cents, written as dollars: 18500 is 185.00.
type money int64

// MarshalJSON writes a number with two decimals.
func (m money) MarshalJSON() ([]byte, error) {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return fmt.Appendf(nil, "%s%d.%02d", sign, m/100, m%100), nil
}
