package web

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"rsc.io/qr"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/talk"
	"github.com/devonartis/medassist-go/web/view"
)

// present is GET /present: the presenter's own page.
func (s *Server) present(w http.ResponseWriter, r *http.Request) {
	if s.keyFromQuery(w, r) {
		return
	}
	p, err := s.presentView(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	render(w, http.StatusOK, view.PresentPage(p))
}

func (s *Server) presentView(r *http.Request) (view.Present, error) {
	p := view.Present{Page: s.page(r, "Present", "present", "/present"), Talk: s.stage.view()}
	var err error
	if p.Talk.Run != "" {
		p.Run, err = s.project(r, p.Talk.Run)
	}
	return p, err
}

// follower is a page that shows what is on the stage: GET /stage for the
// projector, and GET /follow for a phone.
func (s *Server) follower(title, name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		e := view.Encounter{Page: s.page(r, title, name, "")}
		var err error
		if id := s.stage.current(); id != "" {
			e.Run, err = s.project(r, id)
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		render(w, http.StatusOK, view.FollowPage(e))
	}
}

// choose is POST /present/act: another act, or another version of the talk.
func (s *Server) choose(w http.ResponseWriter, r *http.Request) {
	version, err := strconv.Atoi(r.PostFormValue("version"))
	if err != nil || !slices.Contains(talk.Versions, version) {
		s.refuse(w, r, &inputError{http.StatusBadRequest, "version", "there is a talk of 10 minutes and one of 25"})
		return
	}
	act, err := strconv.Atoi(r.PostFormValue("act"))
	if err != nil {
		s.refuse(w, r, &inputError{http.StatusBadRequest, "act", "the act must be a number"})
		return
	}
	s.stage.choose(version, act)
	s.presented(w, r)
}

// perform is POST /present/run: the act's scenario is run, on the stage. What
// was on it and still goes on is cancelled.
func (s *Server) perform(w http.ResponseWriter, r *http.Request) {
	now := s.stage.view()
	act := now.Act()
	sc, ok := scenario.ByID(act.Scenario)
	if !ok {
		s.refuse(w, r, &inputError{http.StatusConflict, "act", "this act runs nothing: it shows " + act.Page})
		return
	}
	if now.Run != "" {
		// One that has ended can't be cancelled, which is as well.
		_ = s.cfg.Runs.Cancel(now.Run, "presenter", "The next act began.")
	}
	run, err := s.start(r.Context(), requestBody{PatientID: sc.Patient, Request: sc.Request, Pace: act.Pace, Scenario: sc.ID, hold: true})
	if err == nil {
		err = s.putOnStage(r, run.ID)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.stage.begin()
	s.presented(w, r)
}

// timer is POST /present/timer: hold, go on, or begin again.
func (s *Server) timer(w http.ResponseWriter, r *http.Request) {
	s.stage.hold(r.PostFormValue("do") == "reset")
	s.presented(w, r)
}

// presented shows the presenter how the talk stands now. What the run does
// comes by its own stream.
func (s *Server) presented(w http.ResponseWriter, r *http.Request) {
	if !fromPage(r) {
		http.Redirect(w, r, "/present", http.StatusSeeOther)
		return
	}
	p, err := s.presentView(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	var b bytes.Buffer
	partial(&b, "#talk", "outerHTML", view.TalkView(p))
	html(w, http.StatusOK, b.Bytes())
}

// link is GET /present/link: the address for the phones in the room, and
// nothing else, for the projector.
func (s *Server) link(w http.ResponseWriter, r *http.Request) {
	l := view.Link{Page: s.page(r, "Follow", "link", "/present")}
	if s.cfg.PresenterKey != "" {
		l.URL = "http://" + reachableHost(r.Host) + "/follow"
		code, err := qr.Encode(l.URL, qr.M)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		l.Size = code.Size
		for y := range code.Size {
			for x := range code.Size {
				if code.Black(x, y) {
					l.Dots = append(l.Dots, [2]int{x, y})
				}
			}
		}
	}
	render(w, http.StatusOK, view.LinkPage(l))
}

// reachableHost is an address under which others find this machine: the one
// that is in use if it is no loopback, else that of a network it is on.
func reachableHost(host string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), ""
	}
	if ip, err := netip.ParseAddr(name); name != "localhost" && (err != nil || !ip.IsLoopback()) {
		return host
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return host
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsPrivate() {
			if port == "" {
				return n.IP.String()
			}
			return net.JoinHostPort(n.IP.String(), port)
		}
	}
	return host
}
