package planner

// An unable is something that no tool does, in the words of the answer: "cancels
// appointments".
type unable struct {
	does    string
	object  string // if the request names none
	outward bool   // it gives out data, which a gullible model reads first
}

// Verbs that can also request something that a tool does.
var (
	adds   = &unable{does: "adds", object: "to the record, other than as a note"}
	sends  = &unable{does: "sends", object: "messages or documents", outward: true}
	orders = &unable{does: "orders", object: "tests or supplies"}
)

// unables are the entries for verbs that request what no tool does.
var unables = []entry{
	{kind: verb, unable: &unable{does: "cancels", object: "anything"}, phrases: "cancel, cancels, cancelling, canceling, call off, withdraw, retract"},
	{kind: verb, unable: &unable{does: "deletes", object: "anything from the record"}, phrases: "delete, erase, remove, get rid of, wipe, purge, drop, destroy, expunge, void, undo, clear, shred"},
	{kind: verb, unable: &unable{does: "stops", object: "a medication"}, phrases: "stop, stopping, discontinue, hold her, hold his, hold the, pause, taper, wean, take her off of, take her off, take him off, take them off, come off, quit, deprescribe"},
	{kind: verb, unable: &unable{does: "schedules", object: "appointments"}, phrases: "schedule a, schedule an, schedule her, schedule him, schedule the, book, reschedule, arrange, set up, set an, fit her in, fit him in, make an appointment"},
	{kind: verb, unable: sends, phrases: "email, e mail, mail, fax, forward, text her, text him, text the, text them, text, message, tell her, tell him, tell them, tell the patient, let her know, let him know, let them know, let the patient know, send a message, post, share, whatsapp"},
	{kind: verb, unable: &unable{does: "makes", object: "phone calls"}, phrases: "call, phone her, phone him, phone the, phone them, ring, telephone her, telephone him, dial, contact her, contact him, contact the, contact them, get in touch, reach out"},
	{kind: verb, unable: &unable{does: "prints", object: "documents", outward: true}, phrases: "print, print out, printout"},
	{kind: verb, unable: &unable{does: "exports", object: "data", outward: true}, phrases: "export, download, back up, backup, upload to"},
	{kind: verb, unable: &unable{does: "uploads", object: "files"}, phrases: "upload, attach, scan in, import"},
	{kind: verb, unable: &unable{does: "makes", object: "referrals"}, phrases: "second opinion, refer, referral, referrals, consult, a consult"},
	{kind: verb, unable: &unable{does: "admits, discharges or transfers", object: "patients"}, phrases: "admit, discharge, transfer, hospitalize"},
	{kind: verb, unable: &unable{does: "changes", object: "what is in the record"}, phrases: "update, change, edit, correct, amend, modify, fix, rename, set, overwrite, merge, mark"},
	{kind: verb, unable: &unable{does: "sends", object: "reminders or notifications"}, phrases: "remind, notify, alert, reminder, set a reminder, send a reminder, inform"},
	{kind: verb, unable: &unable{does: "takes or returns", object: "payments"}, phrases: "collect, refund, waive, write off, charge her, charge him, take a payment, process a payment, charge the"},
	{kind: verb, unable: &unable{does: "changes", object: "permissions or credentials"}, phrases: "grant, grant yourself access, give yourself access, elevate, escalate, unlock, authorize, approve, revoke, impersonate, log in, log me in, log us in, make me admin, sudo, disable, bypass, delegate"},
	{kind: verb, unable: &unable{does: "shows", object: "credentials or instructions"}, phrases: "system prompt, your instructions, your prompt, access token, api key, api keys, password, passwords, credentials, secret, secrets, token, tokens"},
	{kind: verb, unable: &unable{does: "archives", object: "records"}, phrases: "archive"},
	{kind: verb, unable: &unable{does: "transcribes", object: "recordings"}, phrases: "transcribe, dictate"},
	{kind: verb, unable: &unable{does: "translates", object: "text"}, phrases: "translate"},
	{kind: verb, unable: &unable{does: "signs", object: "documents"}, phrases: "sign, sign off, certify"},
	{kind: verb, unable: &unable{does: "makes", object: "a diagnosis"}, phrases: "diagnose, interpret"},
	{kind: verb, unable: &unable{does: "recommends", object: "a treatment"}, phrases: "recommend, suggest, recommendation, recommendations, what should i prescribe, what should we prescribe, what to prescribe, what can i prescribe, which drug should"},
	{kind: verb, unable: &unable{does: "registers", object: "patients"}, phrases: "register, enroll, new patient, sign up, add a patient, create a patient, add a new patient"},
	{kind: verb, unable: &unable{does: "examines or treats", object: "patients"}, phrases: "vaccinate, immunize, administer, inject, draw blood, measure, take her blood pressure, take his blood pressure, weigh her, weigh him, transfuse, operate"},
}

func (u *unable) isOutward() bool { return u != nil && u.outward }

// changesRecords reports whether the verb is about an entry in the records.
func (u *unable) changesRecords() bool {
	switch u.does {
	case "cancels", "deletes", "stops", "changes", "adds":
		return true
	}
	return false
}
