package talk

// inBoth and inLong are the versions of the talk that include an act.
var (
	inBoth = []int{10, 25}
	inLong = []int{25}
)

// acts lists every act in order. The minutes of the acts of a version add up to
// its length; questions come after the last act.
var acts = []Act{
	{
		Scenario: "billing", Pace: "instant", Minutes: 2, Versions: inLong,
		Proves:  "a credential that no task needs is never issued",
		PointAt: "the two agents that are not created",
		Say:     "One request, one agent. It holds billing scopes for one patient, and nothing clinical exists yet.",
	},
	{
		Scenario: "full", Pace: "step", Minutes: 3, Versions: inBoth,
		Proves:  "each agent has its own token, for one patient, for minutes",
		PointAt: "the scopes that narrow to one patient, then the delegation between two agents",
		Say:     "The prescription agent can't prescribe. The agent that holds the right delegates exactly that, for this patient and this call.",
	},
	{
		Scenario: "cross-patient", Pace: "instant", Minutes: 2, Versions: inBoth,
		Proves:  "the model does not decide what it can reach",
		PointAt: "the call that stops at the gate, with the required and the held scope side by side",
		Say:     "Nobody stopped the model from asking. Its token covers one patient, so the gate refused the call.",
	},
	{
		Scenario: "injection", Pace: "instant", Minutes: 3, Versions: inBoth,
		Proves:  "an injected instruction gets no more access than the token has",
		PointAt: "the visit note in the answer, then the two denied calls",
		Say:     "The instruction was in the data, and the model followed it. The broker was not fooled.",
	},
	{
		Scenario: "over-reach", Pace: "instant", Minutes: 2, Versions: inLong,
		Proves:  "delegation can only narrow",
		PointAt: "the delegation that the broker refuses",
		Say:     "The broker checks every delegation against the delegator's own scopes. Asking for more gets nothing.",
	},
	{
		Scenario: "kill-switch", Pace: "step", Minutes: 3, Versions: inLong,
		Proves:  "a revocation takes effect at the very next call",
		PointAt: "the clinical call that is denied while billing continues",
		Say:     "I revoke one agent. It does not stop at its next login. It stops at its next call.",
	},
	{
		Scenario: "five-seconds", Pace: "instant", Minutes: 2, Versions: inLong,
		Proves:  "unrevoked tokens expire on their own",
		PointAt: "the countdown, then the denied call",
		Say:     "Nobody revoked this token. It lived for five seconds, and that was enough.",
	},
	{
		Scenario: "stolen-token", Pace: "instant", Minutes: 3, Versions: inLong,
		Proves:  "a stolen token opens one patient, and only until it is released",
		PointAt: "the command for the terminal: copy it, run it, press n, run it again",
		Say:     "Here is the token: take it. It opens one patient, for minutes. And now it opens nothing.",
	},
	{
		Named: "The audit log is tamper-evident", Page: "/audit", Minutes: 3, Versions: inLong,
		Proves:  "tampering is detectable",
		PointAt: "the tamper lab, which starts at the blocked call: edit it, and see that everything after it breaks",
		Say:     "Each decision you saw is in this log: what was allowed, and what was blocked. Each entry holds the hash of the one before. Change one, and nothing after it can be trusted.",
	},
	{
		Named: "Verified revocation", Scenario: "full", Pace: "instant", Minutes: 2, Versions: inBoth,
		Proves:  "revocation is verified, not assumed",
		PointAt: "the last lines of the trace: each token confirmed revoked",
		Say:     "We don't assume that the tokens are gone. We ask the broker about each one.",
	},
}
