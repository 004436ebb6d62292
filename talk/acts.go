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
		Asked:   "No agent is created in advance: each is registered at the first call of its category.",
	},
	{
		Scenario: "full", Pace: "step", Minutes: 3, Versions: inBoth,
		Proves:  "each agent has its own token, for one patient, for minutes",
		PointAt: "the scopes that narrow to one patient, then the delegation between two agents",
		Say:     "The prescription agent can't prescribe. The agent that holds the right delegates exactly that, for this patient and this call.",
		Asked:   "The broker does not enforce a single use. The app makes one call with the delegated token and releases it with the others.",
	},
	{
		Scenario: "cross-patient", Pace: "instant", Minutes: 2, Versions: inBoth,
		Proves:  "the model does not decide what it can reach",
		PointAt: "the call that stops at the gate, with the required and the held scope side by side",
		Say:     "Nobody stopped the model from asking. Its token covers one patient, so the gate refused the call.",
		Asked:   "The records API checks the token again, so bypassing the gate does not help. The stolen token shows that.",
	},
	{
		Scenario: "injection", Pace: "instant", Minutes: 3, Versions: inBoth,
		Proves:  "an injected instruction gets no more access than the token has",
		PointAt: "the visit note in the answer, then the two denied calls",
		Say:     "The instruction was in the data, and the model followed it. The broker was not fooled.",
		Asked:   "Nothing filters the note. A model may believe it, and its token still covers one patient.",
	},
	{
		Scenario: "over-reach", Pace: "instant", Minutes: 2, Versions: inLong,
		Proves:  "delegation can only narrow",
		PointAt: "the delegation that the broker refuses",
		Say:     "The broker checks every delegation against the delegator's own scopes. Asking for more gets nothing.",
		Asked:   "The check is the broker's, so a faulty app can't delegate too much either.",
	},
	{
		Scenario: "kill-switch", Pace: "step", Minutes: 3, Versions: inLong,
		Proves:  "a revocation takes effect at the very next call",
		PointAt: "the clinical call that is denied while billing continues",
		Say:     "I revoke one agent. It does not stop at its next login. It stops at its next call.",
		Asked:   "The gate asks the broker at each call, so nothing has to expire first. The other agents have tokens of their own.",
	},
	{
		Scenario: "five-seconds", Pace: "instant", Minutes: 2, Versions: inLong,
		Proves:  "unrevoked tokens expire on their own",
		PointAt: "the countdown, then the denied call",
		Say:     "Nobody revoked this token. It lived for five seconds, and that was enough.",
		Asked:   "Five seconds is for the demo. By default a token lives for five minutes.",
	},
	{
		Scenario: "stolen-token", Pace: "instant", Minutes: 3, Versions: inLong,
		Proves:  "a stolen token opens one patient, and only until it is released",
		PointAt: "the command for the terminal: copy it, run it, press n, run it again",
		Say:     "Here is the token: take it. It opens one patient, for minutes. And now it opens nothing.",
		Asked:   "While it is valid, a bearer token works for anyone who has it. That is why it covers one patient and is released with the task.",
	},
	{
		Named: "The audit log is tamper-evident", Page: "/audit", Minutes: 3, Versions: inLong,
		Proves:  "tampering is detectable",
		PointAt: "the tamper lab, which starts at the blocked call: edit it, and see that everything after it breaks",
		Say:     "Each decision you saw is in this log: what was allowed, and what was blocked. Each entry holds the hash of the one before. Change one, and nothing after it can be trusted.",
		Asked:   "The broker's log holds the credentials, MedAssist's log the decisions about calls. The command medassist verify checks a downloaded copy.",
	},
	{
		Named: "Verified revocation", Scenario: "full", Pace: "instant", Minutes: 2, Versions: inBoth,
		Proves:  "revocation is verified, not assumed",
		PointAt: "the last lines of the trace: each token confirmed revoked",
		Say:     "We don't assume that the tokens are gone. We ask the broker about each one.",
		Asked:   "A token that the broker has not confirmed as revoked is not shown as revoked.",
	},
}
