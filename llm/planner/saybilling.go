package planner

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	itext "github.com/devonartis/medassist-go/internal/text"
)

func sayBilling(s subject) string {
	out := strings.TrimSuffix(sayBalance(s), ".")
	if list := s.list("claims"); len(list) > 0 {
		out += fmt.Sprintf("; the last claim, of %s, is %s", inline(list[0].str("date")), known(list[0].str("status")))
	}
	return out + "."
}

func sayBalance(s subject) string {
	if s.get("balance_usd") == nil {
		return fmt.Sprintf("The billing history of %s has no balance.", s.who)
	}
	return fmt.Sprintf("The balance of %s is **%s**.", s.who, cell("balance_usd", s.object))
}

func sayCharges(s subject) string {
	list := s.list("charges")
	if len(list) == 0 {
		return fmt.Sprintf("No charge of %s is recorded.", s.who)
	}
	last := list[0]
	return fmt.Sprintf("%s has %s on record; the last one is %s (%s) of %s, %s: %s.", s.who, itext.Count(len(list), "charge"),
		known(last.str("description")), known(last.str("cpt")), known(last.str("date")), cell("amount_usd", last), known(last.str("status")))
}

func sayClaims(s subject) string {
	list := s.list("claims")
	if len(list) == 0 {
		return fmt.Sprintf("No claim for %s is on record.", s.who)
	}
	last := list[0]
	return fmt.Sprintf("The last claim for %s, of %s for %s (%s), is **%s**.", s.who, inline(last.str("date")), known(last.str("codes")), cell("amount_usd", last), known(last.str("status")))
}

func sayInsurance(s subject) string {
	since := optional(" since ", inline(s.str("effective")))
	return fmt.Sprintf("%s is insured with **%s**, %s%s; the copay is %s.", s.who, known(s.str("payer")), known(s.str("plan")), since, cell("copay_usd", s.object))
}

func sayMember(s subject) string {
	return fmt.Sprintf("%s is insured with **%s**, member %s, group %s.", s.who, known(s.str("payer")), known(s.str("member_id")), known(s.str("group_number")))
}

func sayCopay(s subject) string {
	return fmt.Sprintf("The copay of %s is **%s** (%s, %s).", s.who, cell("copay_usd", s.object), known(s.str("payer")), known(s.str("plan")))
}

func sayDeductible(s subject) string {
	out := fmt.Sprintf("%s has met %s of the deductible of %s", s.who, cell("deductible_met_usd", s.object), cell("deductible_usd", s.object))
	if all, ok := amount(s.get("deductible_usd")); ok {
		if met, ok := amount(s.get("deductible_met_usd")); ok {
			out += fmt.Sprintf(", so **$%.2f** remains", max(all-met, 0))
		}
	}
	if most := cell("out_of_pocket_max_usd", s.object); most != "" {
		out += "; the out-of-pocket maximum is " + most
	}
	return out + "."
}

func amount(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	return f, err == nil
}

func sayCoverage(s subject) string {
	var all []string
	for _, row := range s.list("coverage") {
		name := row.str("service")
		line := fmt.Sprintf("%s: the patient's share is %s, prior authorization: %s", inline(name), known(row.str("patient_share")), known(row.str("prior_authorization")))
		if s.about != "" && (strings.Contains(strings.ToLower(name), strings.ToLower(s.about)) || strings.Contains(strings.ToLower(s.about), strings.ToLower(name))) {
			return fmt.Sprintf("The plan of %s covers **%s.**", s.who, line)
		}
		all = append(all, inline(name))
	}
	switch {
	case s.about != "" && len(all) > 0:
		return fmt.Sprintf("The plan of %s does not list %s; listed: %s.", s.who, inline(s.about), join(all))
	case len(all) == 0:
		return fmt.Sprintf("The insurance of %s lists no coverage.", s.who)
	}
	return fmt.Sprintf("The plan of %s (%s, %s) covers %s.", s.who, known(s.str("payer")), known(s.str("plan")), join(all))
}
