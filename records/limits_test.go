package records_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/tools"
)

// send makes a request without the tools' client and returns its answer.
func (a *api) send(token, method, path, body string) (int, http.Header, string) {
	a.Helper()
	req, err := http.NewRequestWithContext(a.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(answer)
}

// all holds every scope for P-1042.
var all = []string{"read:records:P-1042", "write:records:P-1042", "read:labs:P-1042", "read:formulary:*", "read:prescriptions:P-1042",
	"write:prescriptions:P-1042", "read:billing:P-1042", "read:insurance:P-1042", "write:billing:P-1042"}

// However many claims are filed at once, a charge is claimed once.
func TestAChargeIsClaimedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) { testAChargeIsClaimedOnce(t, a) })
}

// testAChargeIsClaimedOnce files claims at all APIs of one store.
func testAChargeIsClaimedOnce(t *testing.T, apis ...*api) {
	token := apis[0].spawn(all...).AccessToken()
	for range 10 {
		if _, err := apis[0].call(token, "generate_billing_codes", argsFor("generate_billing_codes", "P-1042")); err != nil {
			t.Fatal(err)
		}
		var filed atomic.Int32
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				_, err := apis[i%len(apis)].call(token, "file_insurance_claim", argsFor("file_insurance_claim", "P-1042"))
				if err == nil {
					filed.Add(1)
				} else if !errors.Is(err, tools.ErrInvalidCall) || !strings.Contains(err.Error(), "nothing to claim") {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := filed.Load(); n != 1 {
			t.Fatalf("%d claims were filed for one charge", n)
		}
	}
}

// A patient's limit holds for writers at once: the count and the write are one
// transaction. A full list reports it and remains readable.
func TestWritesAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) { testWritesAreBounded(t, a) })
}

// testWritesAreBounded writes at all APIs of one store.
func testWritesAreBounded(t *testing.T, apis ...*api) {
	a := apis[len(apis)-1]
	token := a.spawn(all...).AccessToken()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				_, err := apis[i%len(apis)].call(token, "write_prescription", argsFor("write_prescription", "P-1042"))
				if err == nil {
					continue
				}
				if !errors.Is(err, tools.ErrInvalidCall) || !strings.Contains(err.Error(), "reset the demo to write more") {
					t.Error(err)
				}
				return
			}
		})
	}
	wg.Wait()
	total, after := 0, ""
	for {
		out, err := a.call(token, "check_drug_interactions", `{"patient_id":"P-1042","proposed_drug":"Lisinopril"}`)
		if after != "" {
			_, _, out = a.send(token, "GET", "/records/P-1042/interactions?drug=Lisinopril&limit=30&after="+after, "")
		}
		var page struct {
			Medications []any  `json:"active_medications"`
			Next        string `json:"active_medications_next"`
		}
		if err != nil || json.Unmarshal([]byte(out), &page) != nil || len(page.Medications) == 0 {
			t.Fatalf("%s, %v", out, err)
		}
		total, after = total+len(page.Medications), page.Next
		if after == "" {
			break
		}
	}
	if total != 100 {
		t.Errorf("%d medications were stored, want 100", total)
	}
}

// The longest texts that can be written, of characters that are the longest when
// escaped, can be read again, page by page, each note once.
func TestNothingIsWrittenThatCantBeReadBack(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		token := a.spawn(all...).AccessToken()
		longest := []string{strings.Repeat("<", 3998), strings.Repeat(`"`, 3998), strings.Repeat("\\", 3998), strings.Repeat("\U0001F600", 3998),
			strings.Repeat("\ufffd", 3998), strings.Repeat("a\n", 1998) + "."}
		for i := range 40 {
			note, err := json.Marshal(fmt.Sprintf("%02d", i) + longest[i%len(longest)])
			if err != nil {
				t.Fatal(err)
			}
			if status, _, out := a.send(token, "POST", "/records/P-1042/notes", `{"notes":`+string(note)+`}`); status != http.StatusOK {
				t.Fatalf("%d %s", status, out)
			}
		}
		seen := 0
		args := `{"patient_id":"P-1042"}`
		for pages := 1; ; pages++ {
			out, err := a.call(token, "get_patient_records", args)
			if err != nil || len(out) > 64<<10 {
				t.Fatalf("page %d: %d bytes, %v", pages, len(out), err)
			}
			var chart struct {
				Visits []struct{ Reason, Note string }
				Next   string `json:"visits_next"`
			}
			if err := json.Unmarshal([]byte(out), &chart); err != nil {
				t.Fatal(err)
			}
			for _, v := range chart.Visits {
				if v.Reason != "Note" {
					continue
				}
				if n, err := strconv.Atoi(v.Note[:2]); err != nil || n != 39-seen {
					t.Fatalf("note %q is number %d", v.Note[:2], 39-seen)
				}
				seen++
			}
			if chart.Next == "" {
				break
			}
			args = fmt.Sprintf(`{"patient_id":"P-1042","after":%q}`, chart.Next)
		}
		if seen != 40 {
			t.Errorf("%d of 40 notes were read", seen)
		}
	})
}

func TestRequestsThatAreRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		token := a.spawn(all...).AccessToken()
		long := strings.Repeat("x", 201)
		for _, tc := range []struct {
			name, method, path, body string
			status                   int
			says                     string
		}{
			{"no note", "POST", "/notes", `{}`, 400, "notes is required"},
			{"a blank note", "POST", "/notes", `{"notes":" "}`, 400, "notes is required"},
			{"a long note", "POST", "/notes", `{"notes":"` + strings.Repeat("x", 4001) + `"}`, 400, "at most 4000"},
			{"a control character", "POST", "/notes", `{"notes":"a\u0000b"}`, 400, "control character"},
			{"a line separator", "POST", "/notes", `{"notes":"a\u2028b"}`, 400, "control character"},
			{"a long diagnosis", "POST", "/notes", `{"notes":"x","diagnoses":["` + long + `"]}`, 400, "at most 200"},
			{"many diagnoses", "POST", "/notes", `{"notes":"x","diagnoses":["1","2","3","4","5","6","7","8","9","10","11"]}`, 400, "at most 10"},
			{"a repeated key", "POST", "/notes", `{"notes":"x","notes":"y"}`, 400, "repeated"},
			{"a key in two cases", "POST", "/notes", `{"notes":"x","Notes":"y"}`, 400, "repeated"},
			{"a key in another case", "POST", "/notes", `{"Notes":"x"}`, 400, "letter case"},
			{"an unknown key", "POST", "/notes", `{"notes":"x","by":"admin"}`, 400, "does not know"},
			{"two objects", "POST", "/notes", `{"notes":"x"}{}`, 400, "one JSON object"},
			{"a large body", "POST", "/notes", `{"notes":"` + strings.Repeat("x", 33<<10) + `"}`, 413, "too large"},
			{"no dose", "POST", "/prescriptions", `{"drug":"Lisinopril","frequency":"daily"}`, 400, "dose is required"},
			{"no frequency", "POST", "/prescriptions", `{"drug":"Lisinopril","dose":"10 mg"}`, 400, "frequency is required"},
			{"an unknown drug", "POST", "/prescriptions", `{"drug":"X","dose":"1","frequency":"daily"}`, 400, "not in the formulary"},
			{"a long indication", "POST", "/prescriptions", `{"drug":"Lisinopril","dose":"1","frequency":"1","indication":"` + long + `"}`, 400, "at most 200"},
			{"no drug", "GET", "/interactions", ``, 400, "proposed_drug is required"},
			{"a limit of 0", "GET", "/chart?limit=0", ``, 400, "from 1 to 100"},
			{"a large limit", "GET", "/labs?limit=101", ``, 400, "from 1 to 100"},
			{"a cursor of another kind", "GET", "/billing?claims_after=7", ``, 400, "claims_after must be the cursor"},
			{"a cursor with SQL", "GET", "/chart?after=2026-01-01_1%3BDROP", ``, 400, "after must be the cursor"},
			{"a malformed query", "GET", "/chart?after=2026-01-01_1;DROP", ``, 400, "malformed"},
			{"another method", "DELETE", "/chart", ``, 405, "method not allowed"},
			{"another route", "GET", "/xrays", ``, 404, "no such route"},
		} {
			status, header, out := a.send(token, tc.method, "/records/P-1042"+tc.path, tc.body)
			if cache := header.Get("Cache-Control"); cache != "no-store" {
				t.Errorf("%s: Cache-Control is %q", tc.name, cache)
			}
			if status != tc.status || !strings.Contains(out, tc.says) {
				t.Errorf("%s: %d %s, want %d with %q", tc.name, status, out, tc.status, tc.says)
			}
		}
		_, _, chart := a.send(token, "GET", "/records/P-1042/chart", "")
		if strings.Contains(chart, `"reason":"Note"`) {
			t.Errorf("a refused note was written: %s", chart)
		}
	})
}

func TestHEADAnswersWhereGETDoes(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		token := a.spawn(all...).AccessToken()
		for _, path := range []string{"chart", "labs", "interactions?drug=Lisinopril", "billing", "insurance"} {
			status, header, body := a.send(token, "HEAD", "/records/P-1042/"+path, "")
			if status != http.StatusOK || body != "" || header.Get("Content-Type") != "application/json" {
				t.Errorf("HEAD %s: %d %v %q", path, status, header, body)
			}
		}
		if status, header, _ := a.send(token, "POST", "/records/P-1042/chart", ""); status != http.StatusMethodNotAllowed || header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST: %d, Allow %q", status, header.Get("Allow"))
		}
		if status, _, _ := a.send("garbage", "HEAD", "/records/P-1042/chart", ""); status != http.StatusUnauthorized {
			t.Errorf("HEAD without a token: %d", status)
		}
	})
}

// Each list is returned whole and once, whatever the size of its pages.
func TestPages(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		token := a.spawn(all...).AccessToken()
		for range 3 {
			for _, tool := range []string{"generate_billing_codes", "file_insurance_claim", "write_clinical_notes"} {
				if _, err := a.call(token, tool, argsFor(tool, "P-1042")); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, list := range []struct{ path, name, cursor, query string }{
			{"chart", "visits", "after", ""}, {"labs", "results", "after", ""}, {"billing", "charges", "after", ""},
			{"billing", "claims", "claims_after", ""}, {"interactions", "active_medications", "after", "&drug=Ibuprofen"},
		} {
			read := func(limit int) (rows []string) {
				for after := ""; ; {
					_, _, out := a.send(token, "GET", fmt.Sprintf("/records/P-1042/%s?limit=%d&%s=%s%s", list.path, limit, list.cursor, after, list.query), "")
					var answer map[string]json.RawMessage
					var page []json.RawMessage
					if json.Unmarshal([]byte(out), &answer) != nil || json.Unmarshal(answer[list.name], &page) != nil {
						t.Fatal(out)
					}
					for _, row := range page {
						rows = append(rows, string(row))
					}
					after = ""
					if next, more := answer[list.name+"_next"]; more {
						json.Unmarshal(next, &after)
					}
					if after == "" {
						return rows
					}
				}
			}
			whole := read(100)
			if len(whole) < 2 {
				t.Errorf("%s: %q", list.name, whole)
			}
			for limit := 1; limit <= 3; limit++ {
				if got := read(limit); !slices.Equal(got, whole) {
					t.Errorf("%s in pages of %d: %q\nwhole: %q", list.name, limit, got, whole)
				}
			}
		}
	})
}

func TestAnswersOfWrites(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		token := a.spawn(all...).AccessToken()
		for _, tc := range []struct{ tool, args, want string }{
			{"write_clinical_notes", `{"patient_id":"P-1042","notes":"x","diagnoses":["I10",""]}`, `"diagnoses":["I10"]`},
			{"get_patient_records", `{"patient_id":"P-1042"}`, `"diagnoses":["I10"]`},
			{"get_patient_records", `{"patient_id":"P-1042"}`, `"emergency_contact":"Luis Alvarez, husband, 555-0143"`},
			{"get_insurance_coverage", `{"patient_id":"P-1042"}`, `"group_number":"HLH-GRP-2207"`},
			{"write_prescription", `{"patient_id":"P-1042","drug":"LISINOPRIL","dose":20,"frequency":"daily"}`, `"drug":"Lisinopril","dose":"20"`},
			{"generate_billing_codes", `{"patient_id":"P-1042","procedures":["93000"],"diagnoses":["R00.1"]}`, `"icd10":"R00.1"`},
			{"generate_billing_codes", `{"patient_id":"P-1042","service":"spirometry","diagnoses":"diabetes"}`, `"icd10":"E11`},
			{"file_insurance_claim", `{"patient_id":"P-1042","codes":"93000","total_charges":"1"}`, `add up to 56.00`},
			{"file_insurance_claim", `{"patient_id":"P-1042","billing_codes":["94010"],"total_charges":69}`, `"status":"submitted"}`},
		} {
			out, err := a.call(token, tc.tool, tc.args)
			if err != nil || !strings.Contains(out, tc.want) {
				t.Errorf("%s %s: %s, %v, want %s", tc.tool, tc.args, out, err, tc.want)
			}
		}
	})
}

// Another patient's rows enter neither a patient's balance nor its claims nor the
// diagnosis that its services are coded under.
func TestBillingIsThePatientsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		other := a.spawn("read:billing:P-3301", "write:billing:P-3301").AccessToken()
		own := a.spawn(all...).AccessToken()
		balance := func(token, id string) string {
			_, _, out := a.send(token, "GET", "/records/"+id+"/billing", "")
			var b struct {
				Balance json.Number `json:"balance_usd"`
			}
			if err := json.Unmarshal([]byte(out), &b); err != nil {
				t.Fatal(err)
			}
			return b.Balance.String()
		}
		bills := func() string {
			_, _, out := a.send(own, "GET", "/records/P-1042/billing", "")
			return out
		}
		before, billed := balance(own, "P-1042"), bills()
		if out, err := a.call(other, "generate_billing_codes", `{"patient_id":"P-3301","procedures":["spirometry"]}`); err != nil || !strings.Contains(out, `"icd10":"J45`) {
			t.Fatalf("%s, %v", out, err)
		}
		if after := balance(own, "P-1042"); after != before {
			t.Errorf("the balance was %s and is %s", before, after)
		}
		if out, err := a.call(own, "file_insurance_claim", `{"patient_id":"P-1042"}`); !errors.Is(err, tools.ErrInvalidCall) {
			t.Errorf("another patient's charge was claimed: %s, %v", out, err)
		}
		if out, err := a.call(other, "file_insurance_claim", `{"patient_id":"P-3301"}`); err != nil || !strings.Contains(out, "94010") {
			t.Errorf("%s, %v", out, err)
		}
		if now := bills(); now != billed {
			t.Errorf("another patient's charge and claim changed this one's billing from\n%s to\n%s", billed, now)
		}
	})
}

// A client that sends its body too slowly is cut off and does not hold the
// database meanwhile.
func TestSlowBodies(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		token := a.spawn(all...).AccessToken()
		body, client := io.Pipe()
		defer client.Close()
		req, err := http.NewRequestWithContext(t.Context(), "POST", a.url+"/records/P-1042/notes", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		status := make(chan int, 1)
		go func() {
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				status <- 0
				return
			}
			resp.Body.Close()
			status <- resp.StatusCode
		}()
		if _, err := io.WriteString(client, `{"notes":"`); err != nil {
			t.Fatal(err)
		}
		if out, err := a.call(token, "get_patient_records", argsFor("get_patient_records", "P-1042")); err != nil {
			t.Fatalf("%s, %v", out, err)
		}
		select {
		case got := <-status:
			if got != http.StatusBadRequest && got != 0 {
				t.Errorf("status %d", got)
			}
		case <-time.After(5 * time.Second):
			t.Error("the request is still being read")
		}
	})
}
