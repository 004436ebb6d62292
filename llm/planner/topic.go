package planner

// A topic is what a request is about: something to read, or something to do.
type topic int

const (
	// From the chart.
	chart topic = iota
	allergies
	problems
	visits
	doctor
	contact
	born
	finding // about a condition or an observation, such as "blood pressure"

	// From the medication list, which only the interaction check returns.
	medications // all, or about one drug

	// From the laboratory.
	labs
	test // about one test

	// From billing and insurance.
	billing
	balance
	charges
	claims
	insurance
	copay
	deductible
	member
	coverage // about a service, or all

	// Not only to read.
	safety       // may a drug be given?
	interactions // of a drug, or among all active medications
	prescribe
	refill
	change // of a dose, or a switch
	note
	code
	claim
)

// A source names the tool and the fields that answer a topic, and how to say it.
type source struct {
	tool   string
	fields []string // that answer it; nil means the whole result
	say    func(subject) string
}

// sources covers the topics that one read answers.
var sources = map[topic]source{
	chart:       {toolRecords, nil, sayChart},
	allergies:   {toolRecords, []string{"allergies"}, sayAllergies},
	problems:    {toolRecords, []string{"problems"}, sayProblems},
	visits:      {toolRecords, []string{"visits"}, sayVisits},
	doctor:      {toolRecords, []string{"visits"}, sayDoctor},
	contact:     {toolRecords, []string{"address", "phone", "emergency_contact"}, sayContact},
	born:        {toolRecords, []string{"name", "date_of_birth", "sex"}, sayBorn},
	finding:     {toolRecords, []string{"problems", "visits"}, sayFinding},
	medications: {toolCheck, []string{"active_medications"}, sayMedications},
	labs:        {toolLabs, nil, sayLabs},
	test:        {toolLabs, []string{"results"}, sayTest},
	billing:     {toolBilling, nil, sayBilling},
	balance:     {toolBilling, []string{"balance_usd", "charges"}, sayBalance},
	charges:     {toolBilling, []string{"charges"}, sayCharges},
	claims:      {toolBilling, []string{"claims"}, sayClaims},
	insurance:   {toolInsurance, nil, sayInsurance},
	copay:       {toolInsurance, []string{"copay_usd", "payer", "plan"}, sayCopay},
	deductible:  {toolInsurance, []string{"deductible_usd", "deductible_met_usd", "out_of_pocket_max_usd"}, sayDeductible},
	member:      {toolInsurance, []string{"payer", "plan", "member_id", "group_number"}, sayMember},
	coverage:    {toolInsurance, []string{"coverage"}, sayCoverage},
}

// isSoft reports whether words for the topic are often only the circumstances of
// something else: "labs for her diabetes", "the doctor wants the chart".
func (t topic) isSoft() bool { return t == finding || t == doctor }
